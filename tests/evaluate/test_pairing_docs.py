"""The tables of docs/results/pairing.md are made from the rows beside it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "results" / "pairing.md"
ROWS = ROOT / "docs" / "results" / "pairing"


def test_the_page_is_what_the_rows_make(tmp_path: Path) -> None:
    before = PAGE.read_text(encoding="utf-8")
    page = tmp_path / "pairing.md"
    page.write_text(before, encoding="utf-8")
    script = [sys.executable, str(ROOT / "benchmarks" / "pairing.py")]
    subprocess.run([*script, "--page", str(page)], check=True, capture_output=True)
    assert page.read_text(encoding="utf-8") == before


def test_every_row_is_of_slides_and_an_engine_of_its_own() -> None:
    text = (ROWS / "pairs.jsonl").read_text(encoding="utf-8")
    rows = [json.loads(line) for line in text.splitlines()]
    keys = [(row.get("mpp"), row["size_px"], row["engine"], row["seed"]) for row in rows]
    assert len(set(keys)) == len(keys)
    assert {row["engine"] for row in rows} <= {"stainbridge", "elastix"}
