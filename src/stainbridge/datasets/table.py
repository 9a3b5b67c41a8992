"""Find the table that a data set comes with, and read its corresponding landmarks."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from stainbridge.datasets.files import list_files
from stainbridge.errors import InputError
from stainbridge.geometry.landmarks import match_tables, read_px
from stainbridge.geometry.point_table import read_point_table
from stainbridge.slides.manifest import read_header
from stainbridge.types import Points


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


def read_landmark_pair(fixed: Path, moving: Path) -> tuple[Points, Points]:
    """Read corresponding points of two ANHIR CSVs, (N, 2) each.

    They correspond by label, or row by row where labels do not tell (`match_tables`). Rows that
    only one of them has are left out, as in ANHIR.
    """
    fixed_table = read_point_table(fixed)
    moving_table = read_point_table(moving)
    fixed_points = read_px(fixed_table, fixed)
    moving_points = read_px(moving_table, moving)
    rows = match_tables(fixed_table, moving_table)
    if rows is not None:
        fixed_points = fixed_points[rows[0]]
        moving_points = moving_points[rows[1]]
    count = min(len(fixed_points), len(moving_points))
    if not count:
        raise InputError("there are no landmarks", where=moving if len(fixed_points) else fixed)
    return fixed_points[:count], moving_points[:count]
