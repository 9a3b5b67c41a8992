"""The tables and the picture of docs/results/comparison.md are made from the runs beside it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from stainbridge.evaluate.ledger import SETUP, read_rows, read_setup

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
FOLDERS = [DOCS / "results" / "comparison" / name for name in ("sections", "scanners", "generated")]


def test_every_method_made_every_run() -> None:
    for folder in FOLDERS:
        rows, methods = read_rows(folder), set(read_setup(folder / SETUP).methods)
        starts = {row.key[:3] for row in rows}
        assert len(methods) == 11
        assert {row.key for row in rows} == {
            (*start, method) for start in starts for method in methods
        }


def test_page_and_picture_are_what_the_runs_make(tmp_path: Path) -> None:
    page, picture = tmp_path / "comparison.md", tmp_path / "comparison.svg"
    before = (DOCS / "results" / "comparison.md").read_text(encoding="utf-8")
    page.write_text(before, encoding="utf-8")
    script = [sys.executable, str(ROOT / "benchmarks" / "comparison.py"), *map(str, FOLDERS)]
    subprocess.run(
        [*script, "--page", str(page), "--picture", str(picture)], check=True, capture_output=True
    )
    assert page.read_text(encoding="utf-8") == before
    assert picture.read_bytes() == (DOCS / "images" / "comparison.svg").read_bytes()


def test_runs_name_no_place_on_a_machine() -> None:
    rows = [row for folder in FOLDERS for row in read_rows(folder)]
    assert not [
        row
        for row in rows
        if row.fixed.startswith(("/", "..")) or row.moving.startswith(("/", ".."))
    ]
