"""The tables of docs/results/slices.md and sar.md are made from the rows beside them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from stainbridge.evaluate.slices.ledger import ROWS, SETUP, read_setup
from stainbridge.evaluate.slices.row import read_rows

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / "docs" / "results" / name for name in ("slices.md", "sar.md")]


def find_folders(page: Path) -> list[Path]:
    """Return the folders of kept rows beside a page."""
    return sorted(path.parent for path in page.with_suffix("").glob(f"*/{ROWS}"))


FOLDERS = [folder for page in PAGES for folder in find_folders(page)]


@pytest.mark.parametrize("kept", PAGES, ids=lambda page: page.name)
def test_the_page_is_what_the_rows_make(kept: Path, tmp_path: Path) -> None:
    (tmp_path / kept.stem).symlink_to(kept.with_suffix(""))
    page = tmp_path / kept.name
    text = kept.read_text(encoding="utf-8")
    page.write_text(re.sub(r"^\| `.*±.*", "", text, flags=re.MULTILINE), encoding="utf-8")
    script = ROOT / "benchmarks" / "slices_tables.py"
    subprocess.run([sys.executable, str(script), str(page)], check=True, capture_output=True)
    assert page.read_text(encoding="utf-8") == text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_page_shows_every_kept_folder(page: Path) -> None:
    shown = re.findall(r"<!-- table: (\S+) -->", page.read_text(encoding="utf-8"))
    assert shown
    assert sorted(shown) == [folder.name for folder in find_folders(page)]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_method_ran_every_case_of_its_setup(folder: Path) -> None:
    rows = read_rows(folder / ROWS)
    setup = read_setup(folder / SETUP)
    cases = {row.key[:2] for row in rows}
    assert {row.key for row in rows} == {(*case, name) for case in cases for name in setup.methods}
    assert cases <= {(name, case) for name, of_set in setup.data_sets.items() for case in of_set}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_kept_files_name_no_place_on_a_machine(folder: Path) -> None:
    for name in (ROWS, SETUP):
        assert not re.search(r'(^|[ "(,])/\w+/', (folder / name).read_text(encoding="utf-8"))
