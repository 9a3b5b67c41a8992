"""The tables of docs/results/pairing-proof.md are made from the rows beside it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "results" / "pairing-proof.md"
ROWS = ROOT / "docs" / "results" / "pairing-proof"


def test_the_page_is_what_the_rows_make(tmp_path: Path) -> None:
    before = PAGE.read_text(encoding="utf-8")
    page = tmp_path / "pairing-proof.md"
    page.write_text(before, encoding="utf-8")
    script = [sys.executable, str(ROOT / "benchmarks" / "pairing_proof.py")]
    subprocess.run([*script, "--page", str(page)], check=True, capture_output=True)
    assert page.read_text(encoding="utf-8") == before


def test_every_kept_run_is_of_a_set_and_seed_of_its_own() -> None:
    texts = [path.read_text(encoding="utf-8") for path in ROWS.glob("runs.jsonl")]
    rows = [json.loads(line) for text in texts for line in text.splitlines()]
    keys = [(row["set"], row["seed"]) for row in rows]
    assert len(set(keys)) == len(keys)
    assert {name for name, _ in keys} <= {"affine", "built", "filtered"}
    assert len({row["steps"] for row in rows}) <= 1
