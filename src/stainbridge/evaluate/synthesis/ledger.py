"""Keep the rows of a synthesis benchmark: `rows.csv`, and in `setup.json` what they share."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from stainbridge.errors import InputError, MissingFileError
from stainbridge.evaluate.ledger import check_unchanged, drop_partial_line
from stainbridge.evaluate.synthesis.row import COLUMNS, RowKey, SynthesisRow
from stainbridge.partial import holds_files
from stainbridge.whole import whole_file

#: The file of rows.
ROWS = "rows.csv"
#: The file of their setup.
SETUP = "setup.json"


@dataclass(frozen=True)
class SynthesisSetup:
    """What rows must share to stand in one table.

    Methods, translations and data sets may be added later.
    """

    version: str
    """The version of stainbridge."""
    measures: dict[str, Any]
    """How patches and blocks are chosen."""
    methods: dict[str, dict[str, Any]]
    """The settings of methods, by name."""
    translations: dict[str, dict[str, Any]]
    """The settings of translations, by name."""
    data_sets: dict[str, dict[str, str]]
    """For each data set, by the id of a case, a digest of its landmarks."""


class SynthesisLedger:
    """The rows in a folder, read when it is opened and added to as runs end.

    Raises `InputError` when the folder holds rows of another setup, or anything else.
    """

    def __init__(self, folder: Path, setup: SynthesisSetup) -> None:
        self._path = folder / ROWS
        _claim_folder(folder, setup)
        self.rows: dict[RowKey, SynthesisRow] = {row.key: row for row in read_rows(folder)}

    def add(self, row: SynthesisRow) -> None:
        """Append a row and wait until it is on the disk."""
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        if not self._path.is_file() or not self._path.stat().st_size:
            writer.writeheader()
        writer.writerow(row.to_line())
        try:
            with self._path.open("a", encoding="utf-8", newline="") as file:
                file.write(text.getvalue())
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise InputError(f"could not write: {error.strerror}", where=self._path) from error
        self.rows[row.key] = row


def check_folder(folder: Path, setup: SynthesisSetup) -> SynthesisSetup:
    """Return the setup that `folder` has once these runs are in it; write nothing.

    Raises `InputError` when it holds rows of another setup, or anything else.
    """
    path = folder / SETUP
    if folder.exists() and not folder.is_dir():
        raise InputError("the output is a file", where=folder, expected="a folder")
    if path.is_file():
        return merge_setups(read_setup(path), setup, folder)
    if holds_files(folder):
        raise InputError("the folder has other things in it", where=folder, remedy="name another")
    return setup


def merge_setups(before: SynthesisSetup, now: SynthesisSetup, where: Path) -> SynthesisSetup:
    """Return a setup with the methods, translations, data sets and cases of both.

    Raises `InputError` for what has changed between them.
    """
    check_unchanged("version", before.version, now.version, where)
    check_unchanged("how it is measured", before.measures, now.measures, where)
    data_sets = {
        name: _join(f"landmarks of '{name}/{{}}'", before.data_sets.get(name, {}), cases, where)
        for name, cases in now.data_sets.items()
    }
    return SynthesisSetup(
        now.version,
        now.measures,
        _join("method '{}'", before.methods, now.methods, where),
        _join("translation '{}'", before.translations, now.translations, where),
        {**before.data_sets, **data_sets},
    )


def read_setup(path: Path) -> SynthesisSetup:
    """Read the setup of a folder; raises `InputError` where there is none, or it is damaged."""
    if not path.is_file():
        raise MissingFileError(
            "no folder of benchmark synthesis", where=path.parent, expected=f"{SETUP} in it"
        )
    try:
        return SynthesisSetup(**json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise InputError("not the setup of a benchmark", where=path, got=error) from error


def read_rows(folder: Path) -> list[SynthesisRow]:
    """Read the rows of a folder, the last one of each run; raises `InputError` for damaged ones."""
    path = folder / ROWS
    if not path.is_file():
        return []
    rows: dict[RowKey, SynthesisRow] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file):
            try:
                row = SynthesisRow.from_line(line)
            except (KeyError, TypeError, ValueError) as error:
                raise InputError(
                    "not a row of benchmark synthesis",
                    where=f"{path} line {len(rows) + 2}",
                    got=error,
                ) from error
            rows[row.key] = row
    return list(rows.values())


def _claim_folder(folder: Path, setup: SynthesisSetup) -> None:
    merged = check_folder(folder, setup)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write there: {error.strerror}", where=folder) from error
    with whole_file(folder / SETUP) as temporary:
        temporary.write_text(json.dumps(asdict(merged), indent=2) + "\n", encoding="utf-8")
    drop_partial_line(folder / ROWS)


def _join(
    what: str, before: Mapping[str, Any], now: Mapping[str, Any], where: Path
) -> dict[str, Any]:
    """Return the entries of both; what both have must not have changed."""
    for name in before.keys() & now.keys():
        check_unchanged(what.format(name), before[name], now[name], where)
    return {**before, **now}
