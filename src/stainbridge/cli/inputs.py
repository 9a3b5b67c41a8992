"""What a registration may be given beside its slides: masks, and where to start."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from stainbridge.errors import InputError

if TYPE_CHECKING:
    from stainbridge.geometry.frame import Frame
    from stainbridge.geometry.landmarks import Landmarks
    from stainbridge.geometry.transform import Transform
    from stainbridge.imaging.image import Image


def read_mask(path: Path, slide: Frame) -> Image:
    """A mask picture of a whole slide, at any resolution, as an `Image` (1, H, W) of 0 and 1; not 0 is inside.

    Raises `InputError` for a file that is no picture, a shape that is not the slide's, or an empty mask.
    """
    import numpy as np
    import PIL.Image

    from stainbridge.imaging.image import Image

    if not path.is_file():
        raise InputError("no such mask file", where=path)
    try:
        with PIL.Image.open(path) as picture:
            inside = np.asarray(picture.convert("RGB")).any(axis=-1)
    except (OSError, PIL.Image.DecompressionBombError) as error:
        raise InputError(
            "the mask cannot be read", where=path, expected="a PNG", got=" ".join(str(error).split())
        ) from error
    height, width = inside.shape
    # A mask made at a lower resolution has a side rounded by up to a pixel.
    if abs(width * slide.height - height * slide.width) > max(slide.height, slide.width):
        raise InputError(
            "the mask does not have the slide's shape",
            where=path,
            expected=f"{slide.width} x {slide.height} or the same at a lower resolution",
            got=f"{width} x {height}",
        )
    if not inside.any():
        raise InputError("the mask is empty", where=path, expected="pixels that are not 0 where the tissue is")
    mpp = (slide.size_um[0] / width, slide.size_um[1] / height)
    frame = replace(slide, height=height, width=width, mpp=mpp)
    return Image(inside[None].astype(np.uint8), frame, np.ones_like(inside))


def read_landmark_pair(fixed_csv: Path, moving_csv: Path, fixed: Frame, moving: Frame) -> tuple[Landmarks, Landmarks]:
    """Corresponding landmarks of two slides; raises `InputError` when their counts differ."""
    from stainbridge.geometry.landmarks import Landmarks, read_points_csv

    fixed_marks = Landmarks(*read_points_csv(fixed_csv), fixed)
    moving_marks = Landmarks(*read_points_csv(moving_csv), moving)
    if len(fixed_marks.labels) != len(moving_marks.labels):
        raise InputError(
            "the landmarks of the two slides must correspond one to one",
            where=moving_csv,
            expected=f"{len(fixed_marks.labels)} as in {fixed_csv}",
            got=len(moving_marks.labels),
        )
    return fixed_marks, moving_marks


def start_from_landmarks(fixed_csv: Path, moving_csv: Path, fixed: Frame, moving: Frame) -> Transform:
    """The `moving_from_fixed` map that fits landmark pairs best: affine from three pairs on, a similarity from two."""
    from stainbridge.geometry.fit import fit_landmarks

    fixed_marks, moving_marks = read_landmark_pair(fixed_csv, moving_csv, fixed, moving)
    try:
        return fit_landmarks(fixed_marks.points_um, moving_marks.points_um, fixed, moving)
    except InputError as error:
        raise InputError(
            error.what, where=fixed_csv, expected=error.expected, got=error.got, remedy=error.remedy
        ) from error
