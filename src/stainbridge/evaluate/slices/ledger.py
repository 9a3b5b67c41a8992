"""Keep what an evaluation has run: rows in `rows.csv`, what they depend on in `setup.json`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from stainbridge.errors import InputError
from stainbridge.evaluate.slices.method import SliceMethod
from stainbridge.evaluate.slices.row import SliceRow, read_rows, write_rows
from stainbridge.partial import holds_files
from stainbridge.whole import whole_file

#: The file of rows.
ROWS = "rows.csv"
#: The file of what they depend on.
SETUP = "setup.json"


@dataclass(frozen=True)
class SliceSetup:
    """What the rows of a folder depend on; methods and cases may be added later."""

    version: str
    """The version of stainbridge."""
    methods: dict[str, dict[str, Any]]
    """The settings of methods, by name."""
    data_sets: dict[str, dict[str, str]]
    """For each data set, by the id of a case, the digest of its pictures and landmarks."""


def make_setup(
    methods: Sequence[SliceMethod], data_sets: Mapping[str, Mapping[str, str]]
) -> SliceSetup:
    """Return the setup of an evaluation that is about to run."""
    settings: dict[str, dict[str, Any]] = json.loads(
        json.dumps({method.name: method.read_settings() for method in methods})
    )
    digests = {name: dict(cases) for name, cases in data_sets.items()}
    return SliceSetup(version("stainbridge"), settings, digests)


class SliceLedger:
    """The rows in a folder, read when it is opened and written again with each new one.

    Without a folder they are only in memory. Raises `InputError` when the folder holds rows of
    another setup.
    """

    def __init__(self, folder: Path | None, setup: SliceSetup) -> None:
        self.folder = folder
        self.rows: dict[tuple[str, str, str], SliceRow] = {}
        if folder is not None:
            _claim(folder, setup)
            self.rows = {row.key: row for row in read_rows(folder / ROWS)}

    def add(self, row: SliceRow) -> None:
        """Add a row, in place of an earlier one of the same case and method.

        Rows that another process has written meanwhile are taken in.
        """
        if self.folder is None:
            self.rows[row.key] = row
            return
        path = self.folder / ROWS
        self.rows = {**self.rows, **{known.key: known for known in read_rows(path)}, row.key: row}
        write_rows(path, list(self.rows.values()))


def _claim(folder: Path, setup: SliceSetup) -> None:
    path = folder / SETUP
    if not path.is_file() and holds_files(folder):
        raise InputError("the folder has other things in it", where=folder, remedy="name another")
    merged = merge_setups(read_setup(path), setup, folder) if path.is_file() else setup
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write there: {error.strerror}", where=folder) from error
    with whole_file(path) as temporary:
        temporary.write_text(json.dumps(asdict(merged), indent=1) + "\n", encoding="utf-8")


def read_setup(path: Path) -> SliceSetup:
    """Read a setup; raise `InputError` for a damaged one."""
    try:
        return SliceSetup(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise InputError("not the setup of evaluate slices", where=path, got=error) from error


def merge_setups(before: SliceSetup, now: SliceSetup, where: Path) -> SliceSetup:
    """Return a setup with the methods, data sets and cases of both.

    Raises `InputError` for what has changed between them.
    """
    _check_equal("the version", before.version, now.version, where)
    for name, settings in now.methods.items():
        _check_settings(name, before.methods.get(name, settings), settings, where)
    data_sets = dict(before.data_sets)
    for name, cases in now.data_sets.items():
        known = data_sets.get(name, {})
        for case, digest in cases.items():
            _check_equal(f"the case '{name}/{case}'", known.get(case, digest), digest, where)
        data_sets[name] = {**known, **cases}
    return SliceSetup(now.version, {**before.methods, **now.methods}, data_sets)


def _check_settings(
    method: str, before: Mapping[str, Any], now: Mapping[str, Any], where: Path
) -> None:
    changed = sorted(key for key in before.keys() | now.keys() if before.get(key) != now.get(key))
    for key in changed:
        _check_equal(f"'{key}' of the method '{method}'", before.get(key), now.get(key), where)


def _check_equal(name: str, before: Any, now: Any, where: Path) -> None:
    if before != now:
        raise InputError(
            f"{name} has changed since these rows were made",
            where=where,
            expected=before,
            got=now,
            remedy="name another folder",
        )
