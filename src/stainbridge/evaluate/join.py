"""Benchmark folders made apart, on several machines or on other days, as one."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from stainbridge.errors import InputError
from stainbridge.evaluate.job import Row
from stainbridge.evaluate.ledger import SETUP, Ledger, merged, read_rows, read_setup
from stainbridge.evaluate.runner import places


def join(folders: Sequence[Path], out: Path) -> list[Row]:
    """Put the runs of `folders` into `out`, with their pictures, points and logs; returns all its
    rows.

    `out` may hold runs already, its own or some of these. A run that stands in several is taken
    from the first. Raises `InputError`, and writes nothing, for what is no benchmark folder and for
    folders that do not compare: other seeds, numbers of hard starts, time limits, versions,
    settings of a method or landmarks.
    """
    if not folders:
        raise InputError("no folders", expected="one or more of benchmark landmarks")
    setup = read_setup(folders[0] / SETUP)
    for folder in folders[1:]:
        setup = merged(setup, read_setup(folder / SETUP), folder)
    found = [(folder, row) for folder in folders for row in read_rows(folder)]
    ledger = Ledger(out, setup)
    for folder, row in found:
        if row.key not in ledger.rows:
            for place in places(row).values():
                _copy_new(folder / place, out / place)
            ledger.add(row)
    return list(ledger.rows.values())


def _copy_new(file: Path, place: Path) -> None:
    if file.is_file() and not place.exists():
        place.parent.mkdir(exist_ok=True)
        shutil.copyfile(file, place)
