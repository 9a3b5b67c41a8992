"""Read the tables that name slides, and find the files that they name."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from stainbridge.errors import InputError, MissingFileError
from stainbridge.types import Points

#: A row of a CSV by its columns.
TableRow = dict[str, str]


def read_header(path: Path) -> tuple[str, ...]:
    """Return the names of a CSV's columns; none where it is empty or not text."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            return tuple(name.strip() for name in next(csv.reader(file), ()))
    except UnicodeDecodeError:
        return ()


def read_table(path: Path, columns: Iterable[str]) -> list[TableRow]:
    """Read the rows of a CSV; raise `InputError` without `columns` or without rows."""
    missing = [name for name in columns if name not in read_header(path)]
    if missing:
        raise InputError(
            "columns are missing",
            where=path,
            expected=", ".join(missing),
            got=", ".join(read_header(path)) or "nothing",
        )
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = [
                {
                    (name or "").strip(): (value or "").strip()
                    for name, value in row.items()
                    if isinstance(value, str)
                }
                for row in csv.DictReader(file, restval="")
            ]
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError("not a table", where=path, expected="CSV in UTF-8", got=error) from error
    if not rows:
        raise InputError("the table has no rows", where=path)
    return rows


def find_named_file(roots: Sequence[Path], name: str, table: Path) -> Path:
    """Return the file `name` in the first of `roots` that has it.

    Raises `InputError` that says which table names it.
    """
    for root in roots:
        if (root / name).is_file():
            return root / name
    raise MissingFileError("no such file", where=roots[0] / name, remedy=f"it is named in {table}")


def read_numbers(row: TableRow, columns: Sequence[str], where: str) -> Points:
    """Read some columns of a row as floats, (len(columns),).

    Raises `InputError` for what is no finite number.
    """
    try:
        values = np.array([float(row[name]) for name in columns])
    except (ValueError, KeyError):
        values = np.array([np.nan])
    if not np.isfinite(values).all():
        raise InputError(
            "not a number",
            where=where,
            expected=", ".join(columns),
            got=[row.get(name) for name in columns],
        )
    return values
