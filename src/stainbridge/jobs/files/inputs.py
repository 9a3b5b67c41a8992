"""Masks and landmarks of slides, read and checked."""

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


#: Longest side at which masks are read, in pixels: a mask says where to look, not where an edge is.
LONGEST_MASK_PX = 4096


def read_mask(path: Path, slide: Frame) -> Image:
    """Return the mask of a whole slide as an `Image` (1, H, W): 1 where the picture is not 0.

    What is transparent is outside.
    The picture may have any resolution. Raises `InputError` for a file that is no picture, a shape
    that is not the slide's, and an empty mask.
    """
    import numpy as np

    from stainbridge.imaging.image import Image
    from stainbridge.slides.open_mask import open_mask

    with open_mask(path) as picture:
        _check_shape(path, picture.frame, slide)
        image = picture.read(picture.frame.fit(LONGEST_MASK_PX))
    inside = np.asarray(image.pixels.any(axis=0))
    if not inside.any():
        raise InputError(
            "the mask is empty", where=path, expected="pixels that are not 0 where the tissue is"
        )
    height, width = inside.shape
    frame = replace(
        slide, height=height, width=width, mpp=(slide.size_um[0] / width, slide.size_um[1] / height)
    )
    return Image(inside[None].astype(np.uint8), frame, image.valid)


def _check_shape(path: Path, mask: Frame, slide: Frame) -> None:
    # A side of a mask made at a lower resolution is rounded by up to a pixel.
    if abs(mask.width * slide.height - mask.height * slide.width) > max(slide.height, slide.width):
        raise InputError(
            "the mask does not have the slide's shape",
            where=path,
            expected=f"{slide.width} x {slide.height} or the same at another resolution",
            got=f"{mask.width} x {mask.height}",
        )


def read_landmark_pair(
    fixed_csv: Path, moving_csv: Path, fixed: Frame, moving: Frame
) -> tuple[Landmarks, Landmarks]:
    """Return corresponding landmarks of two slides.

    Landmarks correspond by label; where labels do not decide, row by row. Raises `InputError` when
    their counts differ.
    """
    from stainbridge.geometry.landmarks import Landmarks, match_labels, read_points_csv

    fixed_marks = Landmarks(*read_points_csv(fixed_csv), fixed)
    moving_marks = Landmarks(*read_points_csv(moving_csv), moving)
    if len(fixed_marks.labels) != len(moving_marks.labels):
        raise InputError(
            "the landmarks of the two slides must correspond one to one",
            where=moving_csv,
            expected=f"{len(fixed_marks.labels)} as in {fixed_csv}",
            got=len(moving_marks.labels),
        )
    rows = match_labels(fixed_marks.labels, moving_marks.labels)
    if rows is not None:
        moving_marks = Landmarks(moving_marks.points_px[rows[1]], fixed_marks.labels, moving)
    return fixed_marks, moving_marks


def transform_from_landmarks(
    fixed_csv: Path, moving_csv: Path, fixed: Frame, moving: Frame
) -> Transform:
    """Return the `moving_from_fixed` transform that fits landmark pairs best.

    Two pairs give a similarity, three or more an affine transform. Raises `InputError` for fewer.
    """
    from stainbridge.geometry.fit import fit_landmarks

    fixed_marks, moving_marks = read_landmark_pair(fixed_csv, moving_csv, fixed, moving)
    try:
        return fit_landmarks(
            fixed_marks.points_um, moving_marks.points_um, fixed.space, moving.space
        )
    except InputError as error:
        raise InputError(
            error.what, where=fixed_csv, expected=error.expected, got=error.got, remedy=error.remedy
        ) from error
