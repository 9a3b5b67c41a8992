"""ACROBAT: a table of points of H&E (fixed) and IHC (moving) slides at 10x, in micrometres.

Weitz et al. 2024, "The ACROBAT 2022 challenge", doi:10.1016/j.media.2024.103257. One row a point: `anon_id`,
`anon_filename_he`, `anon_filename_ihc`, `point_id`, `ihc_x`, `ihc_y`, `he_x`, `he_y` in µm, `mpp_ihc_10X`,
`mpp_he_10X`. The challenge keeps `he_x` and `he_y`: without them the points can only be carried over. Slides named
`.ndpi` there are published as pyramidal TIFF, so any ending does.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from stainbridge.datasets.table import Row, numbers, only_table, read_table
from stainbridge.errors import InputError
from stainbridge.slides.case import Case, OpenSlideFunction
from stainbridge.slides.open import open_slide
from stainbridge.slides.slide import Slide
from stainbridge.types import Points

COLUMNS = ("anon_id", "anon_filename_he", "anon_filename_ihc", "ihc_x", "ihc_y", "mpp_ihc_10X", "mpp_he_10X")
#: By how much, relative to the table, a slide's pixel size may be another.
MPP_TOLERANCE = 0.05
ENDINGS = (".tif", ".tiff", ".ndpi", ".svs", ".ome.tif", ".ome.tiff", ".png", ".jpg")


def find(path: Path) -> Path | None:
    """The table, where `path` is one or a folder that holds exactly one; raises `InputError` for several."""
    return only_table(path, COLUMNS, "ACROBAT")


def read(table: Path) -> list[Case]:
    """One case a pair of slides; raises `InputError` for slides that do not exist and points that are no numbers."""
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
    columns = (f"{side}_x", f"{side}_y", f"mpp_{side}_10X")
    values = np.array([numbers(row, columns, f"{table}: {row['anon_id']}") for row in rows])
    if (values[:, 2] <= 0).any():
        raise InputError("pixel size must be positive", where=f"{table}: {rows[0]['anon_id']}", expected="µm > 0")
    return np.asarray(values[:, :2] / values[:, 2:])


def _slide(row: Row, side: str, slides: dict[str, Path], table: Path) -> OpenSlideFunction:
    name, where = row[f"anon_filename_{side}"], f"{table}: {row['anon_id']}"
    (mpp,) = numbers(row, (f"mpp_{side}_10X",), where)
    stem = Path(name).stem
    for candidate in (name, *(stem + ending for ending in ENDINGS)):
        if candidate in slides:
            return partial(open_at, slides[candidate], mpp)
    raise InputError("no such slide", where=table.parent / name, expected="it, or a TIFF of its name", got="neither")


def open_at(path: Path, mpp: float) -> Slide:
    """A slide whose full resolution is that of the table's points; raises `InputError` for another one.

    One that gives no pixel size is taken to have it.
    """
    slide = open_slide(path)
    if not slide.frame.calibrated:
        slide.close()
        return open_slide(path, mpp=mpp)
    if max(abs(own / mpp - 1) for own in slide.frame.mpp) <= MPP_TOLERANCE:
        return slide
    slide.close()
    raise InputError(
        "the slide's pixel size is not the table's",
        where=path,
        expected=f"{mpp:g} µm (10x)",
        got=" x ".join(f"{own:g}" for own in slide.frame.mpp),
        remedy="use the published slides of 10x",
    )
