from __future__ import annotations

from pathlib import Path

from tests.evaluate.slices.test_row import make_row

from stainbridge.evaluate.slices.ledger import ROWS, SliceLedger, SliceSetup
from stainbridge.evaluate.slices.row import read_rows

SETUP = SliceSetup("1", {"m": {}}, {"set": {"a": "1", "b": "2"}})


def test_two_processes_may_fill_one_folder(tmp_path: Path) -> None:
    first, second = SliceLedger(tmp_path, SETUP), SliceLedger(tmp_path, SETUP)
    first.add(make_row("a", dice=0.5))
    second.add(make_row("b", dice=0.5))
    first.add(make_row("c", dice=0.5))
    assert [row.case for row in read_rows(tmp_path / ROWS)] == ["a", "b", "c"]


def test_a_new_row_replaces_that_of_its_case_and_method(tmp_path: Path) -> None:
    ledger = SliceLedger(tmp_path, SETUP)
    ledger.add(make_row("a", dice=0.5))
    ledger.add(make_row("a", dice=0.25))
    (row,) = read_rows(tmp_path / ROWS)
    assert row.scores["dice"].before == 0.25
    assert ledger.rows[row.key] == row
