"""`pairs.csv`: one pair of slides a row, paths relative to the table.

Columns `case`, `fixed`, `moving`; `fixed_landmarks` and `moving_landmarks` (ANHIR CSVs),
`fixed_mask` and `moving_mask` may be missing or empty.
"""

from __future__ import annotations

from pathlib import Path

from stainbridge.datasets.table import Row, existing, header, landmark_pair, read_table
from stainbridge.errors import InputError
from stainbridge.slides.case import Case

COLUMNS = ("case", "fixed", "moving")


def find(path: Path) -> Path | None:
    """The table, where `path` is one or is a folder that holds `pairs.csv`."""
    table = path / "pairs.csv" if path.is_dir() else path
    return table if table.is_file() and set(COLUMNS) <= set(header(table)) else None


def read(table: Path) -> list[Case]:
    """The cases of the table; raises `InputError` for files that do not exist."""
    return [_case(row, table) for row in read_table(table, COLUMNS)]


def _case(row: Row, table: Path) -> Case:
    def path(column: str) -> Path | None:
        return existing([table.parent], row[column], table) if row.get(column) else None

    fixed, moving = path("fixed"), path("moving")
    if fixed is None or moving is None:
        raise InputError(
            "a pair needs two slides", where=f"{table}: {row['case']}", expected="fixed and moving"
        )
    marks = path("fixed_landmarks"), path("moving_landmarks")
    if (marks[0] is None) != (marks[1] is None):
        raise InputError(
            "landmarks of one slide only",
            where=f"{table}: {row['case']}",
            expected="both or neither",
        )
    landmarks = landmark_pair(marks[0], marks[1]) if marks[0] and marks[1] else None
    return Case.from_files(
        row["case"], fixed, moving, landmarks, path("fixed_mask"), path("moving_mask")
    )
