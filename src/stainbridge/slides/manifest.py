"""Read the tables that name slides, and find the files that they name."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from stainbridge.errors import InputError, MissingFileError
from stainbridge.ranges import MPP_RANGE
from stainbridge.regular import check_regular
from stainbridge.types import Points

#: A row of a CSV by its columns.
TableRow = dict[str, str]
#: What cells may be apart by; the first one where a line has none.
DELIMITERS = (",", ";", "\t")
#: Name of the cells of a row that no column has a name for.
SURPLUS = "\0"
#: What ids may be made of: they are names of folders and part of names of files.
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")


def read_header(path: Path) -> tuple[str, ...]:
    """Return the names of a CSV's columns; none where it is empty or not text."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            cells = next(csv.reader(file, delimiter=_find_delimiter(file)), ())
            return tuple(name.strip() for name in cells)
    except (UnicodeDecodeError, csv.Error):
        return ()


def read_table(path: Path, columns: Iterable[str]) -> list[TableRow]:
    """Read the rows of a table, whose cells are apart by comma, semicolon or tab.

    Rows without any value are left out. Raises `InputError` without `columns`, without rows, and
    for a row with more cells than there are columns.
    """
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
            cells = csv.DictReader(
                file, restkey=SURPLUS, restval="", delimiter=_find_delimiter(file)
            )
            rows = [_strip(row, f"{path}, row {number}") for number, row in enumerate(cells, 1)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError("not a table", where=path, expected="CSV in UTF-8", got=error) from error
    rows = [row for row in rows if any(row.values())]
    if not rows:
        raise InputError("the table has no rows", where=path)
    return rows


def _find_delimiter(file: TextIO) -> str:
    """Return what the first line has most of; the file is at its beginning again."""
    first = file.readline()
    file.seek(0)
    return max(DELIMITERS, key=first.count)


def _strip(row: dict[str, Any], where: str) -> TableRow:
    """Return the cells of a row without blanks around them."""
    surplus = [cell for cell in row.pop(SURPLUS, []) if cell.strip()]
    if surplus:
        raise InputError(
            "more cells than columns",
            where=where,
            got=", ".join(surplus),
            remedy="put values that hold a comma in quotes",
        )
    return {name.strip(): value.strip() for name, value in row.items()}


def check_columns(path: Path, header: Sequence[str], allowed: Sequence[str]) -> None:
    """Raise `InputError` for a column that is not `allowed`, and for one that is there twice."""
    if unknown := [name for name in header if name not in allowed]:
        raise InputError(
            "unknown columns",
            where=path,
            expected=", ".join(allowed),
            got=", ".join(repr(name) for name in unknown),
        )
    if twice := sorted({name for name in header if header.count(name) > 1}):
        raise InputError("a column is there twice", where=path, got=", ".join(twice))


def check_id(text: str, where: object) -> None:
    """Raise `InputError` for an id that no file name can hold."""
    if not ID.fullmatch(text):
        raise InputError(
            "an id that cannot be part of file names",
            where=where,
            expected="letters, digits and . _ + -, a letter or digit first",
            got=repr(text),
        )


def find_row_file(table: Path, text: str) -> Path:
    """Return the file or folder that a row names, relative to the table's folder.

    Raises `MissingFileError` where there is none, and `InputError` for a pipe or a device.
    """
    file = table.parent / text
    check_regular(file)
    if not file.exists():
        raise MissingFileError("no such file", where=file, remedy=f"it is named in {table}")
    return file


def parse_mpp(text: str, where: str) -> float:
    """Return a pixel size in µm; raise `InputError` for what is none."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not MPP_RANGE.holds(value):
        raise InputError("no pixel size", where=where, expected=f"µm, {MPP_RANGE}", got=text)
    return value


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
