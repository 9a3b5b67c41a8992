"""Arguments of the public functions: each is checked, and what is wrong is named."""

from __future__ import annotations

from dataclasses import replace
from numbers import Integral, Real
from os import PathLike
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from stainbridge.errors import InputError
from stainbridge.geometry.fit import fit_landmarks
from stainbridge.geometry.frame import Frame, Space
from stainbridge.geometry.landmarks import Landmarks
from stainbridge.geometry.points import check_points
from stainbridge.geometry.transform import Transform
from stainbridge.imaging.image import Image
from stainbridge.slides.slide import Slide
from stainbridge.types import Points

#: A path, an opened slide, or an array: (H, W), (H, W, C) or (C, H, W).
SlideSource: TypeAlias = str | PathLike[str] | Slide | npt.NDArray[Any]
#: Landmarks of one slide, or (N, 2) x, y in full-resolution pixels.
LandmarkSource: TypeAlias = Landmarks | npt.ArrayLike


def as_mask(mask: npt.NDArray[Any] | None, slide: Frame, name: str) -> Image | None:
    """Return a mask as an image over the whole slide, 1 where tissue may be used.

    Raises `InputError` for an array of another kind or shape, and an empty mask.
    """
    if mask is None:
        return None
    array = np.asarray(mask)
    if array.ndim != 2 or array.dtype.kind not in "biuf":
        raise InputError(
            "not a mask",
            where=name,
            expected="(H, W) of numbers, not 0 where tissue may be used",
            got=f"{array.dtype} of shape {array.shape}",
        )
    inside = array != 0
    if not inside.any():
        raise InputError("the mask is empty", where=name, expected="values that are not 0")
    height, width = inside.shape
    # A side of a mask made at a lower resolution is rounded by up to a pixel.
    if abs(width * slide.height - height * slide.width) > max(slide.height, slide.width):
        raise InputError(
            "the mask does not have the slide's shape",
            where=name,
            expected=f"({slide.height}, {slide.width}) or the same at another resolution",
            got=array.shape,
        )
    width_um, height_um = slide.size_um
    frame = replace(slide, height=height, width=width, mpp=(width_um / width, height_um / height))
    return Image(inside[None].astype(np.uint8), frame, np.ones((height, width), bool))


def choose_start(
    initial_transform: Transform | None,
    fixed_landmarks: LandmarkSource | None,
    moving_landmarks: LandmarkSource | None,
    fixed: Space,
    moving: Space,
) -> Transform | None:
    """Return the transform to begin at: the one given, or the map that fits the landmarks.

    Raises `InputError` for both, for landmarks of one slide alone, and for a transform that leads
    the wrong way.
    """
    has_landmarks = fixed_landmarks is not None or moving_landmarks is not None
    if initial_transform is None and not has_landmarks:
        return None
    if initial_transform is not None and has_landmarks:
        raise InputError(
            "an initial transform and landmarks exclude each other", remedy="leave one out"
        )
    if initial_transform is not None:
        return _check_start(initial_transform, fixed, moving)
    if fixed_landmarks is None or moving_landmarks is None:
        raise InputError(
            "landmarks are needed on both slides",
            remedy="give fixed_landmarks and moving_landmarks",
        )
    fixed_px, moving_px = check_landmarks(fixed_landmarks, moving_landmarks, fixed, moving)
    return fit_landmarks(fixed.frame.to_um(fixed_px), moving.frame.to_um(moving_px), fixed, moving)


def _check_start(transform: Transform, fixed: Space, moving: Space) -> Transform:
    if not isinstance(transform, Transform):
        raise InputError(
            "not a transform",
            where="initial_transform",
            expected="a Transform, moving from fixed",
            got=name_type(transform),
        )
    if fixed != moving and (transform.source == moving or transform.target == fixed):
        raise InputError(
            "the transform leads the wrong way",
            where="initial_transform",
            expected="fixed to moving",
            got="moving to fixed",
            remedy="use its inverse()",
        )
    return transform


def check_landmarks(
    fixed_landmarks: LandmarkSource, moving_landmarks: LandmarkSource, fixed: Space, moving: Space
) -> tuple[Points, Points]:
    """Return as many points of both slides, each (N, 2) in full-resolution pixels.

    Raises `InputError` for landmarks of another shape, of another slide, or of unequal counts.
    """
    fixed_px = _read_points(fixed_landmarks, fixed, "fixed_landmarks")
    moving_px = _read_points(moving_landmarks, moving, "moving_landmarks")
    if len(fixed_px) != len(moving_px):
        raise InputError(
            "landmarks must correspond one to one",
            where="moving_landmarks",
            expected=f"{len(fixed_px)}, as in fixed_landmarks",
            got=len(moving_px),
        )
    return fixed_px, moving_px


def _read_points(landmarks: LandmarkSource, space: Space, name: str) -> Points:
    if not isinstance(landmarks, Landmarks):
        return check_points(landmarks, name)
    frame = landmarks.frame
    if (frame.width, frame.height) != (space.width, space.height):
        raise InputError(
            "landmarks of another slide",
            where=name,
            expected=f"{space.width} x {space.height} px",
            got=f"{frame.width} x {frame.height} px",
        )
    return check_points(landmarks.points_px, name)


def as_landmarks(points_px: Points, space: Space) -> Landmarks:
    """Return (N, 2) full-resolution pixels of a slide as landmarks that are named by their row."""
    return Landmarks(points_px, tuple(str(row) for row in range(len(points_px))), space.frame)


def check_mpp(mpp: float | None, name: str) -> None:
    """Raise `InputError` for a pixel size that is no positive number; None is none."""
    check_number(mpp, name)
    if mpp is not None and not 0 < mpp < np.inf:
        raise InputError("pixel size must be positive", where=name, expected="µm > 0", got=mpp)


def check_number(value: object, name: str) -> float | None:
    """Return a number; raise `InputError` for what is none. None stays None."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, Real):
        raise InputError("not a number", where=name, expected="a number", got=repr(value))
    return float(value)


def check_whole(value: object, name: str) -> int | None:
    """Return a whole number; raise `InputError` for what is none. None stays None."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise InputError(
            "not a whole number", where=name, expected="a whole number", got=repr(value)
        )
    return int(value)


def name_type(value: object) -> str:
    """Return the name of a value's type, as messages say it."""
    return type(value).__name__
