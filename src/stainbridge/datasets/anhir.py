"""ANHIR and BIRL: a cover table beside images and landmarks.

Borovec et al. 2020, doi:10.1109/TMI.2020.2986331. `dataset_medium.csv` names "Target image" (fixed)
and "Source image" (moving) with their landmarks, relative to the table or to `images/` and
`landmarks/` beside it. The target's landmarks of evaluation cases are kept by the challenge: such a
case has points to carry over and no truth.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from stainbridge.datasets.table import Row, existing, landmark_pair, only_table, read_table
from stainbridge.geometry.landmarks import read_points_csv
from stainbridge.slides.case import Case

COLUMNS = ("Source image", "Source landmarks", "Target image", "Target landmarks")
IMAGE_FOLDERS = ("", "images", "dataset_ANHIR/images")
LANDMARK_FOLDERS = ("", "landmarks", "dataset_ANHIR/landmarks", "dataset_ANHIR/landmarks/all")


def find(path: Path) -> Path | None:
    """The cover table, where `path` is one or a folder that holds exactly one; raises `InputError`
    for several.
    """
    return only_table(path, COLUMNS, "ANHIR")


def read(table: Path) -> list[Case]:
    """The cases of the table, whose ids are its index; raises `InputError` for files that do not
    exist.
    """
    return [_case(number, row, table) for number, row in enumerate(read_table(table, COLUMNS))]


def _case(number: int, row: Row, table: Path) -> Case:
    images = [table.parent / folder for folder in IMAGE_FOLDERS]
    marks = [table.parent / folder for folder in LANDMARK_FOLDERS]
    fixed, moving = (existing(images, row[f"{side} image"], table) for side in ("Target", "Source"))
    moving_marks = existing(marks, row["Source landmarks"], table)
    id = row.get("") or str(number)
    cover = tuple(row.get(name, "") for name in (*COLUMNS, "status"))
    if not _given(row, marks):
        return replace(
            Case.from_files(id, fixed, moving, moving_only=read_points_csv(moving_marks)[0]),
            cover=cover,
        )
    fixed_marks = existing(marks, row["Target landmarks"], table)
    return replace(
        Case.from_files(id, fixed, moving, landmark_pair(fixed_marks, moving_marks)), cover=cover
    )


def _given(row: Row, roots: list[Path]) -> bool:
    """Whether the target's landmarks were handed out: always but for evaluation cases."""
    name = row["Target landmarks"]
    secret = row.get("status", "").lower() == "evaluation"
    return bool(name) and not (secret and not any((root / name).is_file() for root in roots))
