"""ANHIR and BIRL: a cover table with its images and landmarks.

Borovec et al. 2020, doi:10.1109/TMI.2020.2986331. `dataset_medium.csv` names "Target image" (fixed)
and "Source image" (moving) with their landmarks, relative to the table or to `images/` and
`landmarks/` in its folder. The challenge keeps the target's landmarks of evaluation cases: such a
case has points to warp and no truth.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from stainbridge.datasets.layout import DataSetLayout
from stainbridge.datasets.table import find_only_table, read_landmark_pair
from stainbridge.geometry.landmarks import read_points_csv
from stainbridge.slides.case import Case
from stainbridge.slides.manifest import TableRow, find_named_file, read_table

#: Columns that the table needs.
COLUMNS = ("Source image", "Source landmarks", "Target image", "Target landmarks")
#: Folders of images and of landmarks, relative to the table.
IMAGE_FOLDERS = ("", "images", "dataset_ANHIR/images")
LANDMARK_FOLDERS = ("", "landmarks", "dataset_ANHIR/landmarks", "dataset_ANHIR/landmarks/all")


def find(path: Path) -> Path | None:
    """Return the cover table that `path` is or holds, or None; raise `InputError` for several."""
    return find_only_table(path, COLUMNS, "ANHIR")


def read(table: Path) -> list[Case]:
    """Read the cases of the table; their ids are its index.

    Raises `InputError` for files that do not exist.
    """
    return [_case(number, row, table) for number, row in enumerate(read_table(table, COLUMNS))]


def _case(number: int, row: TableRow, table: Path) -> Case:
    images = [table.parent / folder for folder in IMAGE_FOLDERS]
    marks = [table.parent / folder for folder in LANDMARK_FOLDERS]
    fixed, moving = (
        find_named_file(images, row[f"{side} image"], table) for side in ("Target", "Source")
    )
    moving_marks = find_named_file(marks, row["Source landmarks"], table)
    case_id = row.get("") or str(number)
    cover = tuple(row.get(name, "") for name in (*COLUMNS, "status"))
    if not _has_target_landmarks(row, marks):
        moving_only = read_points_csv(moving_marks)[0]
        return replace(
            Case.from_files(case_id, fixed, moving, moving_only=moving_only), cover=cover
        )
    fixed_marks = find_named_file(marks, row["Target landmarks"], table)
    return replace(
        Case.from_files(case_id, fixed, moving, read_landmark_pair(fixed_marks, moving_marks)),
        cover=cover,
    )


def _has_target_landmarks(row: TableRow, folders: list[Path]) -> bool:
    """Return whether the target's landmarks are published: of evaluation cases they are not."""
    name = row["Target landmarks"]
    if row.get("status", "").lower() == "evaluation":
        return bool(name) and any((folder / name).is_file() for folder in folders)
    return bool(name)


LAYOUT = DataSetLayout("ANHIR", "a table with 'Source image'", find, read)
