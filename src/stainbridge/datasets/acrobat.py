"""ACROBAT: a table of points of H&E (fixed) and IHC (moving) slides at 10x, in micrometres.

Weitz et al. 2024, "The ACROBAT 2022 challenge", doi:10.1016/j.media.2024.103257. One row a point:
`anon_id`, `anon_filename_he`, `anon_filename_ihc`, `point_id`, `ihc_x`, `ihc_y`, `he_x`, `he_y` in
µm, `mpp_ihc_10X`, `mpp_he_10X`, which are the pixel sizes of its slides, whatever a file's tags
say. The challenge keeps `he_x` and `he_y`: without them the points can only be carried over. Slides
named `.ndpi` there are published as pyramidal TIFF, so any ending does.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from stainbridge.datasets.table import Row, numbers, only_table, read_table
from stainbridge.errors import InputError, MissingFileError
from stainbridge.slides.case import Case, OpenSlideFunction
from stainbridge.slides.open import open_slide
from stainbridge.types import Points

COLUMNS = (
    "anon_id",
    "anon_filename_he",
    "anon_filename_ihc",
    "ihc_x",
    "ihc_y",
    "mpp_ihc_10X",
    "mpp_he_10X",
)
ENDINGS = (".tif", ".tiff", ".ndpi", ".svs", ".ome.tif", ".ome.tiff", ".png", ".jpg")


def find(path: Path) -> Path | None:
    """The table, where `path` is one or a folder that holds exactly one; raises `InputError` for
    several.
    """
    return only_table(path, COLUMNS, "ACROBAT")


def read(table: Path) -> list[Case]:
    """One case a pair of slides; raises `InputError` for slides that do not exist and points that
    are no numbers.
    """
    grouped: dict[tuple[str, str], list[Row]] = {}
    for row in read_table(table, COLUMNS):
        grouped.setdefault((row["anon_filename_he"], row["anon_filename_ihc"]), []).append(row)
    slides = {path.name: path for path in sorted(table.parent.rglob("*")) if path.is_file()}
    return [_case(rows, slides, table) for rows in grouped.values()]


def _case(rows: list[Row], slides: dict[str, Path], table: Path) -> Case:
    he, ihc = (_slide(rows[0], side, slides, table) for side in ("he", "ihc"))
    moving = _points(rows, "ihc", table)
    id = f"{rows[0]['anon_id']}_{rows[0].get('ihc_antibody') or Path(rows[0]['anon_filename_ihc']).stem}"
    if all(not row.get("he_x") for row in rows):
        return Case(id, he, ihc, moving_only=moving)
    return Case(id, he, ihc, (_points(rows, "he", table), moving))


def _points(rows: list[Row], side: str, table: Path) -> Points:
    """(N, 2) in full-resolution pixels, from µm."""
    columns = (f"{side}_x", f"{side}_y")
    return np.array(
        [numbers(row, columns, _where(row, table)) / _mpp(row, side, table) for row in rows]
    )


def _mpp(row: Row, side: str, table: Path) -> float:
    (mpp,) = numbers(row, (f"mpp_{side}_10X",), _where(row, table))
    if mpp <= 0:
        raise InputError(
            "pixel size must be positive", where=_where(row, table), expected="µm > 0", got=mpp
        )
    return float(mpp)


def _where(row: Row, table: Path) -> str:
    return f"{table}: {row['anon_id']}"


def _slide(row: Row, side: str, slides: dict[str, Path], table: Path) -> OpenSlideFunction:
    name = row[f"anon_filename_{side}"]
    stem = Path(name).stem
    for candidate in (name, *(stem + ending for ending in ENDINGS)):
        if candidate in slides:
            return partial(open_slide, slides[candidate], mpp=_mpp(row, side, table))
    raise MissingFileError(
        "no such slide",
        where=table.parent / name,
        expected="it, or a TIFF of its name",
        got="neither",
    )
