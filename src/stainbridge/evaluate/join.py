"""Join benchmark folders that were made on several machines or days."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from stainbridge.errors import InputError
from stainbridge.evaluate.ledger import SETUP, Ledger, merge_setups, read_rows, read_setup
from stainbridge.evaluate.row import Row
from stainbridge.evaluate.runner import output_paths


def join(folders: Sequence[Path], out: Path) -> list[Row]:
    """Put the runs of `folders` into `out`, with pictures, points and logs; return all its rows.

    `out` may hold runs already, its own or some of these. A run that several folders hold is
    taken from the first. Raises `InputError`, and writes nothing, for what is no benchmark folder
    and for folders that do not compare: other seeds, numbers of hard starts, time limits,
    versions, settings of a method or landmarks.
    """
    if not folders:
        raise InputError("no folders", expected="one or more of benchmark landmarks")
    setup = read_setup(folders[0] / SETUP)
    for folder in folders[1:]:
        setup = merge_setups(setup, read_setup(folder / SETUP), folder)
    rows = [(folder, row) for folder in folders for row in read_rows(folder)]
    ledger = Ledger(out, setup)
    for folder, row in rows:
        if row.key not in ledger.rows:
            for path in output_paths(row).values():
                _copy_new(folder / path, out / path)
            ledger.add(row)
    return list(ledger.rows.values())


def _copy_new(source: Path, target: Path) -> None:
    if source.is_file() and not target.exists():
        target.parent.mkdir(exist_ok=True)
        shutil.copyfile(source, target)
