"""HyReCo: one folder a stain with `ID.tif` and `ID.csv`; `HE` is the fixed one.

Lotz et al. 2023, "Comparison of consecutive and restained sections for image registration in
histopathology", doi:10.1117/1.JMI.10.6.067501. A landmark CSV has no header: x, y (and more) in
millimetres, a row a point, so the slides are opened for their pixel size.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from stainbridge.datasets.files import list_files
from stainbridge.datasets.layout import DataSetLayout
from stainbridge.errors import InputError
from stainbridge.slides.case import Case
from stainbridge.slides.open import open_slide
from stainbridge.types import Points

#: The folder of the fixed slides.
FIXED = "HE"
#: The folders of the moving slides.
STAINS = ("CD8", "CD45", "CD45RO", "KI67", "PHH3")
#: Endings of slides.
ENDINGS = (".tif", ".tiff", ".svs", ".ome.tif", ".ome.tiff")


def find(path: Path) -> Path | None:
    """Return the folder, where it has `HE` and another stain, or None."""
    has_fixed = path.is_dir() and (path / FIXED).is_dir()
    return path if has_fixed and any(_stain_folders(path)) and _list_fixed_slides(path) else None


def read(folder: Path) -> list[Case]:
    """Read the cases: H&E with every other stain of the same id.

    Raises `InputError` for slides without a pixel size and damaged tables.
    """
    return [
        _read_case(f"{_slide_id(slide)}_{stain.name}", slide, partner)
        for stain in _stain_folders(folder)
        for slide in _list_fixed_slides(folder)
        if (partner := _find_partner(slide, stain)) is not None
    ]


def _stain_folders(folder: Path) -> Iterator[Path]:
    return (
        path for path in sorted(folder.iterdir()) if path.is_dir() and path.name.upper() in STAINS
    )


def _list_fixed_slides(folder: Path) -> list[Path]:
    return list_files(folder / FIXED, ENDINGS)


def _find_partner(slide: Path, stain: Path) -> Path | None:
    slides = list_files(stain, ENDINGS)
    return next((path for path in slides if _slide_id(path) == _slide_id(slide)), None)


def _slide_id(path: Path) -> str:
    return path.name.split(".")[0]


def _read_case(case_id: str, fixed: Path, moving: Path) -> Case:
    tables = [path.with_name(f"{_slide_id(path)}.csv") for path in (fixed, moving)]
    existing = [path for path in tables if path.is_file()]
    if not existing:
        return Case.from_files(case_id, fixed, moving)
    if len(existing) == 1:
        missing = tables[1] if existing == tables[:1] else tables[0]
        raise InputError(
            "landmarks of one slide only", where=existing[0], expected=f"{missing} too, or neither"
        )
    landmarks = _read_points(tables[0], fixed), _read_points(tables[1], moving)
    return Case.from_files(case_id, fixed, moving, landmarks)


def _read_points(table: Path, slide: Path) -> Points:
    """Read points given in millimetres as (N, 2) in full-resolution pixels of the slide."""
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


LAYOUT = DataSetLayout("HyReCo", "HE/ and CD8/, KI67/, ...", find, read)
