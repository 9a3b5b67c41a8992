"""The tables that come with data sets, and the files they name."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from stainbridge.datasets.files import files_in
from stainbridge.errors import InputError, MissingFileError
from stainbridge.geometry.landmarks import read_points_csv, match_labels
from stainbridge.types import Points

Row = dict[str, str]


def header(path: Path) -> tuple[str, ...]:
    """The names of the columns of a CSV; none where it is empty or not text."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            return tuple(name.strip() for name in next(csv.reader(file), ()))
    except UnicodeDecodeError:
        return ()


def only_table(path: Path, columns: Iterable[str], layout: str) -> Path | None:
    """The CSV with `columns`, which `path` is or holds; None where there is none. Raises
    `InputError` for several.
    """
    candidates = files_in(path, (".csv",)) if path.is_dir() else [path]
    tables = [
        table for table in candidates if table.is_file() and set(columns) <= set(header(table))
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


def read_table(path: Path, columns: Iterable[str]) -> list[Row]:
    """The rows of a CSV; raises `InputError` without `columns` or without rows."""
    missing = [name for name in columns if name not in header(path)]
    if missing:
        raise InputError(
            "columns are missing",
            where=path,
            expected=", ".join(missing),
            got=", ".join(header(path)) or "nothing",
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


def existing(roots: Sequence[Path], name: str, table: Path) -> Path:
    """The file `name` under the first of `roots` that has it; raises `InputError` that says which
    table wants it.
    """
    for root in roots:
        if (root / name).is_file():
            return root / name
    raise MissingFileError("no such file", where=roots[0] / name, remedy=f"it is named in {table}")


def landmark_pair(fixed: Path, moving: Path) -> tuple[Points, Points]:
    """Corresponding points of two ANHIR CSVs, by label, or row by row where labels do not tell
    (`same_labels`).

    Rows that only one of them has are left out, as in ANHIR.
    """
    (first, first_labels), (second, second_labels) = (
        read_points_csv(path) for path in (fixed, moving)
    )
    rows = match_labels(first_labels, second_labels)
    if rows is not None:
        first, second = first[rows[0]], second[rows[1]]
    count = min(len(first), len(second))
    if not count:
        raise InputError("there are no landmarks", where=fixed if not len(first) else moving)
    return first[:count], second[:count]


def numbers(row: Row, columns: Sequence[str], where: str) -> Points:
    """Some columns of a row as floats, (len(columns),); raises `InputError` for what is no finite
    number.
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
            got=[row.get(c) for c in columns],
        )
    return values
