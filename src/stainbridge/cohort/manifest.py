"""Read the manifest of a cohort: a CSV with a row for each case."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path

from stainbridge.cohort.case import CohortCase
from stainbridge.errors import InputError, MissingFileError
from stainbridge.slides.manifest import (
    TableRow,
    check_columns,
    check_id,
    find_row_file,
    parse_mpp,
    read_header,
    read_table,
)

#: The column of the id; the others are named as the fields of a case.
ID_COLUMN = "case"
#: The columns that a manifest must have.
REQUIRED = (ID_COLUMN, "fixed", "moving")
#: The columns that hold pixel sizes, yes or no, and files.
NUMBERS = ("fixed_mpp", "moving_mpp")
FLAGS = ("write_slide",)
FILES = tuple(
    field.name for field in fields(CohortCase) if field.name not in ("id", *NUMBERS, *FLAGS)
)
#: The columns that a manifest may have.
COLUMNS = (*REQUIRED, *(name for name in (*FILES, *NUMBERS, *FLAGS) if name not in REQUIRED))
#: What a flag may say.
WORDS = {"": False, "no": False, "false": False, "0": False, "yes": True, "true": True, "1": True}


def read_manifest(path: Path) -> tuple[CohortCase, ...]:
    """Return the cases of a manifest, in its order, with absolute paths.

    Files are relative to the manifest's folder.

    Raises:
        InputError: Unknown or missing columns, two cases of one id, values that cannot be used.
        MissingFileError: The manifest or a file that it names does not exist.

    """
    if not path.is_file():
        raise MissingFileError("no such file", where=path)
    table = path.absolute()
    check_columns(path, read_header(path), COLUMNS)
    cases = tuple(
        _make_case(row, table, f"{path}, row {number}")
        for number, row in enumerate(read_table(path, REQUIRED), 1)
    )
    check_ids([case.id for case in cases], path)
    return cases


def check_ids(ids: Iterable[str], where: object) -> None:
    """Raise `InputError` where two cases have one id."""
    seen: set[str] = set()
    for name in ids:
        key = name.lower()  # some file systems do not tell a from A
        if key in seen:
            raise InputError(
                "two cases have one id", where=where, got=name, remedy="give each its own id"
            )
        seen.add(key)


def parse_flag(text: str, where: str) -> bool:
    """Return what yes or no says; raise `InputError` for another word."""
    if text.lower() not in WORDS:
        raise InputError("neither yes nor no", where=where, expected="yes or no", got=repr(text))
    return WORDS[text.lower()]


def _make_case(row: TableRow, table: Path, where: str) -> CohortCase:
    """Return the case of a row; raises `InputError` that says where the row is."""
    for name in REQUIRED:
        if not row[name]:
            raise InputError(f"no {name}", where=where)
    check_id(row[ID_COLUMN], where)
    files = {name: find_row_file(table, row[name]) for name in FILES if row.get(name)}
    numbers = {name: parse_mpp(row[name], f"{where}: {name}") for name in NUMBERS if row.get(name)}
    flags = {name: parse_flag(row.get(name, ""), f"{where}: {name}") for name in FLAGS}
    case = CohortCase(id=row[ID_COLUMN], **files, **numbers, **flags)  # type: ignore[arg-type]
    _check_files(case, where)
    return case


def _check_files(case: CohortCase, where: str) -> None:
    """Raise `InputError` for what no registration can use."""
    if case.fixed == case.moving:
        raise InputError("both slides are one file", where=where, got=case.fixed)
    if (case.fixed_landmarks is None) != (case.moving_landmarks is None):
        raise InputError("landmarks are needed on both slides", where=where)
    for name, file in case.list_files().items():
        if not (file.is_file() or file.is_dir()):
            raise InputError("not a regular file or folder", where=where, got=f"{name} {file}")
