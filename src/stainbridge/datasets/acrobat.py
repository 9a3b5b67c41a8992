"""ACROBAT: a table of points of H&E (fixed) and IHC (moving) slides at 10x, in micrometres.

Weitz et al. 2024, "The ACROBAT 2022 challenge", doi:10.1016/j.media.2024.103257. One row a point:
`anon_id`, `anon_filename_he`, `anon_filename_ihc`, `point_id`, `ihc_x`, `ihc_y`, `he_x`, `he_y` in
µm, `mpp_ihc_10X`, `mpp_he_10X`, the pixel sizes of the slides, which replace those of the files'
tags. The challenge keeps `he_x` and `he_y` of some cases: their points can only be warped. Slides
that the table calls `.ndpi` are published as pyramidal TIFF, so any ending is accepted.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from stainbridge.datasets.layout import DataSetLayout
from stainbridge.datasets.table import find_only_table
from stainbridge.errors import InputError, MissingFileError
from stainbridge.slides.case import Case, OpenSlideFunction
from stainbridge.slides.manifest import TableRow, read_numbers, read_table
from stainbridge.slides.open import open_slide
from stainbridge.types import Points

#: Columns that the table needs.
COLUMNS = (
    "anon_id",
    "anon_filename_he",
    "anon_filename_ihc",
    "ihc_x",
    "ihc_y",
    "mpp_ihc_10X",
    "mpp_he_10X",
)
#: Endings under which a slide of the table may be found.
ENDINGS = (".tif", ".tiff", ".ndpi", ".svs", ".ome.tif", ".ome.tiff", ".png", ".jpg")


def find(path: Path) -> Path | None:
    """Return the table that `path` is or holds, or None; raise `InputError` for several."""
    return find_only_table(path, COLUMNS, "ACROBAT")


def read(table: Path) -> list[Case]:
    """Read one case for each pair of slides.

    Raises `InputError` for slides that do not exist and points that are no numbers.
    """
    grouped: dict[tuple[str, str], list[TableRow]] = {}
    for row in read_table(table, COLUMNS):
        grouped.setdefault((row["anon_filename_he"], row["anon_filename_ihc"]), []).append(row)
    slides = {path.name: path for path in sorted(table.parent.rglob("*")) if path.is_file()}
    return [_case(rows, slides, table) for rows in grouped.values()]


def _case(rows: list[TableRow], slides: dict[str, Path], table: Path) -> Case:
    first = rows[0]
    he, ihc = (_find_slide(first, side, slides, table) for side in ("he", "ihc"))
    moving = _read_points(rows, "ihc", table)
    stain = first.get("ihc_antibody") or Path(first["anon_filename_ihc"]).stem
    case_id = f"{first['anon_id']}_{stain}"
    if all(not row.get("he_x") for row in rows):
        return Case(case_id, he, ihc, moving_only=moving)
    return Case(case_id, he, ihc, (_read_points(rows, "he", table), moving))


def _read_points(rows: list[TableRow], side: str, table: Path) -> Points:
    """Read points given in µm as (N, 2) in full-resolution pixels."""
    columns = (f"{side}_x", f"{side}_y")
    points_um = [read_numbers(row, columns, _row_name(row, table)) for row in rows]
    mpps = [_read_mpp(row, side, table) for row in rows]
    return np.array([point / mpp for point, mpp in zip(points_um, mpps, strict=True)])


def _read_mpp(row: TableRow, side: str, table: Path) -> float:
    (mpp,) = read_numbers(row, (f"mpp_{side}_10X",), _row_name(row, table))
    if mpp <= 0:
        raise InputError(
            "pixel size must be positive", where=_row_name(row, table), expected="µm > 0", got=mpp
        )
    return float(mpp)


def _row_name(row: TableRow, table: Path) -> str:
    return f"{table}: {row['anon_id']}"


def _find_slide(
    row: TableRow, side: str, slides: dict[str, Path], table: Path
) -> OpenSlideFunction:
    name = row[f"anon_filename_{side}"]
    stem = Path(name).stem
    for candidate in (name, *(stem + ending for ending in ENDINGS)):
        if candidate in slides:
            return partial(open_slide, slides[candidate], mpp=_read_mpp(row, side, table))
    raise MissingFileError(
        "no such slide",
        where=table.parent / name,
        expected="it, or a TIFF of its name",
        got="neither",
    )


LAYOUT = DataSetLayout("ACROBAT", "a table with anon_filename_he", find, read)
