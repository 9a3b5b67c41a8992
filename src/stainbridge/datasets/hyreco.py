"""HyReCo: one folder a stain, `HE` the fixed one, with `ID.tif` and `ID.csv`.

Lotz et al. 2023, "Comparison of consecutive and restained sections for image registration in
histopathology", doi:10.1117/1.JMI.10.6.067501. A landmark CSV has no header: x, y (and more) in
millimetres, a row a point, so the slides are opened for their pixel size.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from stainbridge.datasets.files import files_in
from stainbridge.errors import InputError
from stainbridge.slides.case import Case
from stainbridge.slides.open import open_slide
from stainbridge.types import Points

FIXED = "HE"
STAINS = ("CD8", "CD45", "CD45RO", "KI67", "PHH3")
ENDINGS = (".tif", ".tiff", ".svs", ".ome.tif", ".ome.tiff")


def find(path: Path) -> Path | None:
    """The folder, where it has `HE` and another stain beside it."""
    return (
        path
        if path.is_dir() and (path / FIXED).is_dir() and any(_stains(path)) and _slides(path)
        else None
    )


def read(folder: Path) -> list[Case]:
    """H&E to every other stain of the same id; raises `InputError` for slides without pixel size,
    damaged tables.
    """
    return [
        _case(f"{slide.name.split('.')[0]}_{stain.name}", slide, partner)
        for stain in _stains(folder)
        for slide in _slides(folder)
        if (partner := _same(slide, stain)) is not None
    ]


def _stains(folder: Path) -> Iterator[Path]:
    return (
        path for path in sorted(folder.iterdir()) if path.is_dir() and path.name.upper() in STAINS
    )


def _slides(folder: Path) -> list[Path]:
    return files_in(folder / FIXED, ENDINGS)


def _same(slide: Path, stain: Path) -> Path | None:
    id = slide.name.split(".")[0]
    return next((path for path in files_in(stain, ENDINGS) if path.name.split(".")[0] == id), None)


def _case(id: str, fixed: Path, moving: Path) -> Case:
    marks = [path.with_name(path.name.split(".")[0] + ".csv") for path in (fixed, moving)]
    there = [path for path in marks if path.is_file()]
    if len(there) == 1:
        lacking = marks[1] if there == marks[:1] else marks[0]
        raise InputError(
            "landmarks of one slide only", where=there[0], expected=f"{lacking} too, or neither"
        )
    if not there:
        return Case.from_files(id, fixed, moving)
    first, second = (
        _points(mark, slide) for mark, slide in zip(marks, (fixed, moving), strict=True)
    )
    return Case.from_files(id, fixed, moving, (first, second))


def _points(table: Path, slide: Path) -> Points:
    """(N, 2) in full-resolution pixels of the slide, from millimetres."""
    try:
        mm = np.loadtxt(table, delimiter=",", ndmin=2)
    except ValueError as error:
        raise InputError(
            "not a table of numbers", where=table, expected="x, y in mm, no header", got=error
        ) from error
    if mm.shape[1] < 2:
        raise InputError(
            "not a table of points", where=table, expected="x, y in mm", got=f"{mm.shape[1]} column"
        )
    with open_slide(slide) as opened:
        frame = opened.frame
    if not frame.calibrated:
        raise InputError("landmarks in mm need a slide with a pixel size", where=slide)
    return frame.to_px(1000 * mm[:, :2])
