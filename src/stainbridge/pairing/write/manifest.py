"""Write patches as a CSV or Parquet file, and read them back."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

from stainbridge.errors import InputError, MissingExtraError, MissingFileError
from stainbridge.pairing.patch import Patch, PatchScores
from stainbridge.pairing.source import Split
from stainbridge.pairing.write.columns import COLUMNS, NO, YES, Column, Value
from stainbridge.slides.patch_manifest import parse_number
from stainbridge.whole import whole_file

#: Ending of the files that pyarrow writes.
PARQUET = ".parquet"


def write_patches(path: Path, patches: Sequence[Patch]) -> None:
    """Write a row a patch, whole or not at all: Parquet if `path` ends so, CSV otherwise.

    Numbers keep all their digits. A number that is nan is an empty field, or null in Parquet.
    Raises `MissingExtraError` for Parquet without pyarrow.
    """
    if path.suffix == PARQUET:
        _write_parquet(path, patches)
    else:
        _write_csv(path, patches)


def read_patches(path: Path) -> list[Patch]:
    """Return the patches of a file that `write_patches` wrote, in its order.

    Raises `InputError` for missing columns and for values that they cannot hold. Raises
    `MissingExtraError` for Parquet without pyarrow.
    """
    if not path.is_file():
        raise MissingFileError("no such file", where=path)
    rows = _read_parquet(path) if path.suffix == PARQUET else _read_csv(path)
    return [_make_patch(row, path) for row in rows]


def has_parquet() -> bool:
    """Return whether pyarrow is installed."""
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError:
        return False
    return True


def _write_csv(path: Path, patches: Sequence[Patch]) -> None:
    with whole_file(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(column.name for column in COLUMNS)
        writer.writerows([_format(column.read(patch)) for column in COLUMNS] for patch in patches)


def _format(value: Value) -> str:
    """Return a value as a field of the CSV; all digits of a number, nothing for nan."""
    if isinstance(value, bool):
        return YES if value else NO
    if isinstance(value, float):
        return "" if math.isnan(value) else repr(float(value))
    return str(value)


def _read_csv(path: Path) -> list[dict[str, Value]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, restval="")
            _check_columns(path, reader.fieldnames or ())
            rows = list(reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError("not a table", where=path, expected="CSV in UTF-8", got=error) from error
    return [_parse_row(row, path) for row in rows]


def _parse_row(row: Mapping[str, str], path: Path) -> dict[str, Value]:
    where = f"{path}: {row['name']}"
    return {column.name: _parse(row[column.name], column, where) for column in COLUMNS}


def _parse(text: str, column: Column, where: str) -> Value:
    """Return a field of the CSV as its column holds it."""
    if column.kind is str:
        return text
    if column.kind is float:
        return parse_number(text, column.name, where)
    try:
        return text == YES if column.kind is bool and text in (YES, NO) else int(text)
    except ValueError:
        raise InputError(
            f"cannot be read as {column.kind.__name__}", where=where, expected=column.name, got=text
        ) from None


def _write_parquet(path: Path, patches: Sequence[Patch]) -> None:
    pyarrow, parquet = _import_pyarrow()
    types = {
        str: pyarrow.string(),
        int: pyarrow.int64(),
        float: pyarrow.float64(),
        bool: pyarrow.bool_(),
    }
    schema = pyarrow.schema(
        [
            pyarrow.field(column.name, types[column.kind], metadata={"meaning": column.meaning})
            for column in COLUMNS
        ]
    )
    arrays = [
        pyarrow.array([column.read(patch) for patch in patches], field.type, from_pandas=True)
        for column, field in zip(COLUMNS, schema, strict=True)
    ]
    with whole_file(path) as temporary:
        parquet.write_table(pyarrow.Table.from_arrays(arrays, schema=schema), temporary)


def _read_parquet(path: Path) -> list[dict[str, Value]]:
    pyarrow, parquet = _import_pyarrow()
    try:
        table = parquet.ParquetFile(path).read()
    except (pyarrow.ArrowException, OSError) as error:
        raise InputError("not a Parquet file", where=path, got=error) from error
    _check_columns(path, table.column_names)
    numbers = {column.name for column in COLUMNS if column.kind is float}
    return [
        {
            name: math.nan if value is None and name in numbers else value
            for name, value in row.items()
        }
        for row in table.to_pylist()
    ]


def _import_pyarrow() -> tuple[Any, Any]:
    """Return pyarrow and its Parquet module; raise `MissingExtraError` without them."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise MissingExtraError("Parquet", "pyarrow", "pairs") from None
    return pyarrow, pyarrow.parquet


def _check_columns(path: Path, names: Sequence[str]) -> None:
    missing = [column.name for column in COLUMNS if column.name not in names]
    if missing:
        raise InputError("columns are missing", where=path, expected=", ".join(missing))


def _make_patch(row: Mapping[str, Any], path: Path) -> Patch:
    if row["split"] not in get_args(Split):
        raise InputError(
            "unknown split",
            where=f"{path}: {row['name']}",
            expected=", ".join(get_args(Split)),
            got=row["split"],
        )
    scores = PatchScores(**{item.name: row[item.name] for item in fields(PatchScores)})
    own = {item.name: row[item.name] for item in fields(Patch) if item.name != "scores"}
    return Patch(**own, scores=scores)
