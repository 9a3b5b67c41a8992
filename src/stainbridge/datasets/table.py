"""Read the tables that come with data sets, and find the files that they name."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from stainbridge.datasets.files import list_files
from stainbridge.errors import InputError, MissingFileError
from stainbridge.geometry.landmarks import match_labels, read_points_csv
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


def find_only_table(path: Path, columns: Iterable[str], layout: str) -> Path | None:
    """Return the CSV with `columns` that `path` is or holds, or None.

    Raises `InputError` for several.
    """
    candidates = list_files(path, (".csv",)) if path.is_dir() else [path]
    tables = [
        table for table in candidates if table.is_file() and set(columns) <= set(read_header(table))
    ]
    if len(tables) > 1:
        names = ", ".join(table.name for table in tables)
        raise InputError(
            f"several {layout} tables",
            where=path,
            expected="one",
            got=names,
            remedy="name the table itself",
        )
    return tables[0] if tables else None


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


def read_landmark_pair(fixed: Path, moving: Path) -> tuple[Points, Points]:
    """Read corresponding points of two ANHIR CSVs, (N, 2) each.

    They correspond by label, or row by row where labels do not tell (`match_labels`). Rows that
    only one of them has are left out, as in ANHIR.
    """
    fixed_points, fixed_labels = read_points_csv(fixed)
    moving_points, moving_labels = read_points_csv(moving)
    rows = match_labels(fixed_labels, moving_labels)
    if rows is not None:
        fixed_points = fixed_points[rows[0]]
        moving_points = moving_points[rows[1]]
    count = min(len(fixed_points), len(moving_points))
    if not count:
        raise InputError("there are no landmarks", where=moving if len(fixed_points) else fixed)
    return fixed_points[:count], moving_points[:count]


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
