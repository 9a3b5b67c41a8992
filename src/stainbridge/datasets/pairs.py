"""`pairs.csv`: one pair of slides a row, paths relative to the table.

Columns `case`, `fixed`, `moving`; `fixed_landmarks` and `moving_landmarks` (ANHIR CSVs),
`fixed_mask` and `moving_mask`, `fixed_labels` and `moving_labels` may be missing or empty.
Labels are masks, too, where there is no mask.
"""

from __future__ import annotations

from pathlib import Path

from stainbridge.datasets.layout import DataSetLayout
from stainbridge.datasets.table import read_landmark_pair
from stainbridge.errors import InputError
from stainbridge.slides.case import Case
from stainbridge.slides.manifest import TableRow, find_named_file, read_header, read_table

#: Columns that the table needs.
COLUMNS = ("case", "fixed", "moving")


def find(path: Path) -> Path | None:
    """Return the table that `path` is, or its `pairs.csv`, or None."""
    table = path / "pairs.csv" if path.is_dir() else path
    return table if table.is_file() and set(COLUMNS) <= set(read_header(table)) else None


def read(table: Path) -> list[Case]:
    """Read the cases of the table; raise `InputError` for files that do not exist."""
    return [_case(row, table) for row in read_table(table, COLUMNS)]


def _case(row: TableRow, table: Path) -> Case:
    def path(column: str) -> Path | None:
        return find_named_file([table.parent], row[column], table) if row.get(column) else None

    fixed = path("fixed")
    moving = path("moving")
    if fixed is None or moving is None:
        raise InputError(
            "a pair needs two slides", where=f"{table}: {row['case']}", expected="fixed and moving"
        )
    fixed_landmarks = path("fixed_landmarks")
    moving_landmarks = path("moving_landmarks")
    if (fixed_landmarks is None) != (moving_landmarks is None):
        raise InputError(
            "landmarks of one slide only",
            where=f"{table}: {row['case']}",
            expected="both or neither",
        )
    landmarks = None
    if fixed_landmarks is not None and moving_landmarks is not None:
        landmarks = read_landmark_pair(fixed_landmarks, moving_landmarks)
    fixed_labels = path("fixed_labels")
    moving_labels = path("moving_labels")
    return Case.from_files(
        row["case"],
        fixed,
        moving,
        landmarks,
        fixed_mask=path("fixed_mask") or fixed_labels,
        moving_mask=path("moving_mask") or moving_labels,
        fixed_labels=fixed_labels,
        moving_labels=moving_labels,
    )


LAYOUT = DataSetLayout("pairs", "a table with case, fixed, moving", find, read)
