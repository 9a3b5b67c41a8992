"""Tables that name slides, as people and spreadsheets write them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from stainbridge.errors import InputError
from stainbridge.slides.manifest import find_row_file, read_header, read_table

COLUMNS = ("case", "fixed", "moving")
ROWS = [
    {"case": "one", "fixed": "he.svs", "moving": "ki67.svs"},
    {"case": "two", "fixed": "he 2, cut.svs", "moving": "ki67;2.svs"},
]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("more", ["", "\n", "{0}{0}\n", " {0} {0}{0}\n\n"])
def test_tables_of_spreadsheets(
    delimiter: str, newline: str, mark: str, more: str, tmp_path: Path
) -> None:
    lines = [COLUMNS, *(row.values() for row in ROWS)]
    text = "".join(
        delimiter.join(f'"{cell}"' if set(cell) & set(",;") else cell for cell in line) + "\n"
        for line in lines
    )
    text += more.format(delimiter)
    path = tmp_path / "pairs.csv"
    path.write_bytes((mark + text).replace("\n", newline).encode())
    assert read_header(path) == COLUMNS
    assert read_table(path, COLUMNS) == ROWS


def test_a_value_with_a_comma_that_is_not_in_quotes_is_not_dropped(tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text("case,fixed,moving\none,he.svs,ki67.svs\ntwo,he, cut.svs,ki67.svs\n")
    with pytest.raises(InputError, match=r"pairs\.csv, row 2: more cells than columns; got ki67"):
        read_table(path, COLUMNS)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "columns are missing; expected case, fixed, moving; got nothing"),
        (b"case,fixed,moving\n", "the table has no rows"),
        (b"case,fixed,moving\n,,\n", "the table has no rows"),
        (b"case|fixed|moving\na|b|c\n", r"columns are missing; .* got case\|fixed\|moving"),
        (b"x" * 200_000 + b",fixed\n", "columns are missing"),
        (b"case,fixed,moving\na,b," + b"x" * 200_000, "not a table; expected CSV in UTF-8"),
        ("case,fixed,moving\na,b,é".encode("cp1252"), "not a table; expected CSV in UTF-8"),
    ],
)
def test_what_is_no_table_is_one_line(content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=said):
        read_table(path, COLUMNS)


def test_a_row_names_no_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "he.svs")
    with pytest.raises(InputError, match=r"he\.svs: not a regular file; .*got a pipe"):
        find_row_file(tmp_path / "slides.csv", "he.svs")
