"""Two pictures of one size, read and checked before they are compared."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from stainbridge.errors import InputError
from stainbridge.progress import Note

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from stainbridge.geometry.frame import Frame
    from stainbridge.slides.slide import Slide
    from stainbridge.types import Mask, Pixels

#: Pixels of a picture: comparing larger ones would take more than a few GB of memory.
MOST_PIXELS = 4096 * 4096
#: Pixels of a mask: the outlines of larger ones would take more than a few GB of memory.
MOST_MASK_PIXELS = 8192 * 8192
#: Pixel sizes that differ by a larger share are worth a warning.
SAME_MPP_SHARE = 0.01


def read_picture_pair(
    a: Path, b: Path, longest: int | None, note: Note
) -> tuple[Pixels, Pixels, Frame]:
    """Return the pixels (C, H, W) of two pictures of one size, and the frame of the first.

    With `longest` both are shrunk to so many pixels on the longer side. Raises `InputError` when
    their sizes differ or they are too large to compare.
    """
    from stainbridge.slides.open import open_slide

    with open_slide(a) as slide_a, open_slide(b) as slide_b:
        check_same_size(b, slide_b.frame, a, slide_a.frame, note)
        frames = [
            slide.frame.fit(longest) if longest else slide.frame for slide in (slide_a, slide_b)
        ]
        _check_area(a, frames[0], MOST_PIXELS, remedy="add --longest 4096")
        return slide_a.read(frames[0]).pixels, slide_b.read(frames[1]).pixels, frames[0]


def check_same_size(path: Path, size: Frame, other_path: Path, other: Frame, note: Note) -> None:
    """Raise `InputError` when two pictures differ in size.

    `note` is told when their pixel sizes differ.
    """
    if (size.width, size.height) != (other.width, other.height):
        raise InputError(
            "the pictures do not have the same size",
            where=path,
            expected=f"{other.width} x {other.height} as {other_path}",
            got=f"{size.width} x {size.height}",
            remedy="warp one onto the other first: stainbridge warp slide",
        )
    if (
        size.calibrated
        and other.calibrated
        and abs(size.mpp[0] / other.mpp[0] - 1) > SAME_MPP_SHARE
    ):
        note(
            f"warning: pixel sizes differ, {other.mpp[0]:.4g} and {size.mpp[0]:.4g} µm;"
            " pixels are compared one to one"
        )


def read_mask_of(path: Path, frame: Frame) -> Mask:
    """Return where a mask picture is not 0, on the pixels of `frame`, (H, W).

    The picture has the shape of `frame`, at any resolution.
    """
    import cv2
    import numpy as np

    from stainbridge.jobs.files.inputs import read_mask

    mask = read_mask(path, frame).pixels[0]
    size = (frame.width, frame.height)
    return np.asarray(
        cv2.resize(np.ascontiguousarray(mask), size, interpolation=cv2.INTER_NEAREST) > 0
    )


def read_labels(path: Path, slide: Slide) -> npt.NDArray[np.integer[Any]]:
    """Return a label picture, (H, W), as stored.

    Raises `InputError` for colours, fractions and too many pixels.
    """
    from stainbridge.imaging.labels import take_labels

    _check_area(path, slide.frame, MOST_MASK_PIXELS, remedy="save both at a lower resolution")
    labels: npt.NDArray[np.integer[Any]] = take_labels(slide.read(slide.frame).pixels, path)[0]
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
