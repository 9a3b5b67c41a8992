"""The tables of docs/results/synthesis.md are made from the rows beside it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from stainbridge.evaluate.synthesis.ledger import SETUP, read_rows, read_setup
from stainbridge.evaluate.synthesis.row import IDENTITY

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "results" / "synthesis.md"
ROWS = ROOT / "docs" / "results" / "synthesis"


def test_the_page_is_what_the_rows_make(tmp_path: Path) -> None:
    before = PAGE.read_text(encoding="utf-8")
    page = tmp_path / "synthesis.md"
    page.write_text(before, encoding="utf-8")
    script = [sys.executable, str(ROOT / "benchmarks" / "synthesis.py"), str(ROWS)]
    subprocess.run([*script, "--page", str(page)], check=True, capture_output=True)
    assert page.read_text(encoding="utf-8") == before


def test_kept_rows_are_of_the_setup_and_have_a_row_before() -> None:
    setup = read_setup(ROWS / SETUP)
    rows = read_rows(ROWS)
    assert {row.method for row in rows} <= set(setup.methods)
    assert {row.translation for row in rows} <= set(setup.translations)
    before = {row.key[:3] for row in rows if row.method == IDENTITY}
    assert {row.key[:3] for row in rows} == before
