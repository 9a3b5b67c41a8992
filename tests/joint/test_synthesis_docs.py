"""The tables of docs/results/register-by-synthesis.md are made from the runs beside it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "results" / "register-by-synthesis.md"


def test_the_page_is_what_the_runs_make(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE.read_text(encoding="utf-8"), encoding="utf-8")
    script = ROOT / "benchmarks" / "register_by_synthesis.py"
    subprocess.run([sys.executable, script, "page", "--out", page], check=True)
    assert page.read_text(encoding="utf-8") == PAGE.read_text(encoding="utf-8")
