"""Masks and landmarks of slides, read and checked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from stainbridge.errors import InputError
from stainbridge.progress import Note, ignore_note

if TYPE_CHECKING:
    from stainbridge.geometry.frame import Frame
    from stainbridge.geometry.landmarks import Landmarks
    from stainbridge.geometry.point_table import PointTable
    from stainbridge.geometry.transform import Transform
    from stainbridge.imaging.image import Image
    from stainbridge.slides.slide import Slide


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
    fixed_csv: Path,
    moving_csv: Path,
    fixed: Frame,
    moving: Frame,
    *,
    fixed_offset_px: tuple[float, float] = (0, 0),
    moving_offset_px: tuple[float, float] = (0, 0),
    note: Note = ignore_note,
) -> tuple[Landmarks, Landmarks]:
    """Return corresponding landmarks of two slides.

    Landmarks correspond by label; where labels do not decide, row by row, which `note` is told
    where only one file has ids. The offsets are the
    corners that QuPath counts from. Raises `InputError` when their counts differ, and when both
    files have ids that are not the same.
    """
    from stainbridge.geometry.landmarks import Landmarks, match_tables
    from stainbridge.geometry.point_table import read_point_table

    fixed_table = read_point_table(fixed_csv, "fixed")
    moving_table = read_point_table(moving_csv, "moving")
    fixed_marks = Landmarks(fixed_table.to_px(fixed, fixed_offset_px), fixed_table.labels, fixed)
    moving_px = moving_table.to_px(moving, moving_offset_px)
    if len(fixed_marks.labels) != len(moving_px):
        raise InputError(
            "the landmarks of the two slides must correspond one to one",
            where=moving_csv,
            expected=f"{len(fixed_marks.labels)} as in {fixed_csv}",
            got=len(moving_px),
        )
    rows = match_tables(fixed_table, moving_table)
    if rows is None and fixed_table.has_ids and moving_table.has_ids:
        raise _unlike_ids(fixed_csv, moving_csv, fixed_table, moving_table)
    if fixed_table.has_ids != moving_table.has_ids:
        named, unnamed = (fixed_csv, moving_csv) if fixed_table.has_ids else (moving_csv, fixed_csv)
        note(f"warning: {unnamed}: no ids as in {named}; landmarks are paired row by row")
    order = range(len(moving_px)) if rows is None else rows[1]
    return fixed_marks, Landmarks(moving_px[list(order)], fixed_table.labels, moving)


def _unlike_ids(
    fixed_csv: Path, moving_csv: Path, fixed_table: PointTable, moving_table: PointTable
) -> InputError:
    fixed_ids = set(fixed_table.labels)
    moving_ids = set(moving_table.labels)
    return InputError(
        "the landmarks of the two slides have different ids",
        where=moving_csv,
        expected=f"the ids in {fixed_csv}, such as {min(fixed_ids - moving_ids, default='')!r}",
        got=f"others, such as {min(moving_ids - fixed_ids, default='')!r}",
        remedy="correct the ids, or remove that column to pair row by row",
    )


def transform_from_landmarks(
    fixed_csv: Path, moving_csv: Path, fixed: Slide, moving: Slide, note: Note = ignore_note
) -> Transform:
    """Return the `moving_from_fixed` transform that fits landmark pairs of two slides best.

    Two pairs give a similarity, three or more an affine transform. Raises `InputError` for fewer.
    """
    from stainbridge.geometry.fit import fit_landmarks

    fixed_marks, moving_marks = read_landmark_pair(
        fixed_csv,
        moving_csv,
        fixed.frame,
        moving.frame,
        fixed_offset_px=fixed.info.bounds_px,
        moving_offset_px=moving.info.bounds_px,
        note=note,
    )
    try:
        return fit_landmarks(
            fixed_marks.points_um, moving_marks.points_um, fixed.frame.space, moving.frame.space
        )
    except InputError as error:
        raise InputError(
            error.what, where=fixed_csv, expected=error.expected, got=error.got, remedy=error.remedy
        ) from error
