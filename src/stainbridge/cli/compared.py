"""Two pictures of one size that are compared: read, and refused where they cannot be."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from stainbridge.cli.output import say
from stainbridge.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from stainbridge.geometry.frame import Frame
    from stainbridge.slides.slide import Slide
    from stainbridge.types import Mask, Pixels

#: Comparing larger pictures, or the outlines of larger masks, would take more than a few GB.
MOST_PIXELS, MOST_MASK_PIXELS = 4096 * 4096, 8192 * 8192


def read_pair(a: Path, b: Path, longest: int | None) -> tuple[Pixels, Pixels, Frame]:
    """The pixels (C, H, W) of two pictures of one size, and the frame of the first, shrunk to
    `longest` if given.

    Raises `InputError` when sizes differ or the pictures are too large to compare.
    """
    from stainbridge.slides.open import open_slide

    with open_slide(a) as slide_a, open_slide(b) as slide_b:
        check_sizes(b, slide_b.frame, a, slide_a.frame)
        frames = [
            slide.frame.fit(longest) if longest else slide.frame for slide in (slide_a, slide_b)
        ]
        _check_area(a, frames[0], MOST_PIXELS, remedy="add --longest 4096")
        return slide_a.read(frames[0]).pixels, slide_b.read(frames[1]).pixels, frames[0]


def check_sizes(path: Path, size: Frame, other_path: Path, other: Frame) -> None:
    """Raise `InputError` when two pictures do not have the same size; say so when their pixels are
    not as large.
    """
    if (size.width, size.height) != (other.width, other.height):
        raise InputError(
            "the pictures do not have the same size",
            where=path,
            expected=f"{other.width} x {other.height} as {other_path}",
            got=f"{size.width} x {size.height}",
            remedy="warp one onto the other first: stainbridge warp slide",
        )
    if size.calibrated and other.calibrated and abs(size.mpp[0] / other.mpp[0] - 1) > 0.01:
        say(
            f"warning: pixel sizes differ, {other.mpp[0]:.4g} and {size.mpp[0]:.4g} µm; pixels are compared one to one"
        )


def read_inside(path: Path, frame: Frame) -> Mask:
    """Where a mask picture of the shape of `frame`, at any resolution, is not 0, on its pixels, (H,
    W).
    """
    import cv2
    import numpy as np

    from stainbridge.cli.inputs import read_mask

    mask = read_mask(path, frame).pixels[0]
    size = (frame.width, frame.height)
    return np.asarray(
        cv2.resize(np.ascontiguousarray(mask), size, interpolation=cv2.INTER_NEAREST) > 0
    )


def read_labels(path: Path, slide: Slide) -> npt.NDArray[np.integer[Any]]:
    """A label picture, (H, W), as stored; raises `InputError` for colours, fractions or too many
    pixels.
    """
    _check_area(path, slide.frame, MOST_MASK_PIXELS, remedy="save both at a lower resolution")
    pixels = slide.read(slide.frame).pixels
    if pixels.dtype.kind not in "iu" or (pixels != pixels[:1]).any():
        raise InputError(
            "not a label picture",
            where=path,
            expected="one channel of whole numbers",
            got=f"{len(pixels)} of {pixels.dtype}",
        )
    labels: npt.NDArray[np.integer[Any]] = pixels[0]
    return labels


def _check_area(path: Path, frame: Frame, most: int, remedy: str) -> None:
    if frame.width * frame.height > most:
        raise InputError(
            "the picture is too large to compare",
            where=path,
            expected=f"at most {most} pixels",
            got=f"{frame.width} x {frame.height}",
            remedy=remedy,
        )
