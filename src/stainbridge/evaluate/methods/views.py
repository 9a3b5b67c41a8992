"""What methods that work on plain pictures are given, and how their pixel maps become transforms in
micrometres.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from stainbridge.geometry.fit import fit_affine
from stainbridge.geometry.frame import Frame
from stainbridge.geometry.transform import Affine, Chain, DisplacementField, Transform
from stainbridge.imaging.image import Image
from stainbridge.slides.slide import Slide
from stainbridge.types import Field, Matrix


@dataclass(frozen=True, eq=False)
class View:
    """A slide's overview in grey, (H, W) uint8, on `frame`; `full` is the slide's full-resolution
    frame.
    """

    grey: npt.NDArray[np.uint8]
    frame: Frame
    full: Frame


def grey_view(slide: Slide, longest_px: int) -> View:
    """The slide at `longest_px` at most, in grey; the mean of the channels, stretched, where it is
    not RGB.
    """
    image = slide.read(slide.frame.fit(longest_px))
    return View(_grey(image), image.frame, slide.frame)


def rgb(image: Image) -> npt.NDArray[np.uint8]:
    """(H, W, 3): the picture itself, or its grey in every channel where it is not RGB."""
    if len(image.pixels) == 3 and image.pixels.dtype == np.uint8:
        return np.ascontiguousarray(np.moveaxis(image.pixels, 0, -1))
    return np.repeat(_grey(image)[..., None], 3, axis=-1)


def _grey(image: Image) -> npt.NDArray[np.uint8]:
    if len(image.pixels) == 3 and image.pixels.dtype == np.uint8:
        return np.asarray(cv2.cvtColor(rgb(image), cv2.COLOR_RGB2GRAY))
    mean = np.asarray(image.pixels, np.float32).mean(axis=0)
    low, high = np.percentile(mean, (0.5, 99.5))
    return np.asarray(np.clip((mean - low) / max(float(high - low), 1e-6), 0, 1) * 255, np.uint8)


def affine_from_pixels(matrix: Matrix, fixed: View, moving: View) -> Affine:
    """`moving_from_fixed` from a (2, 3) or (3, 3) map of the views' pixel indices, 0 a centre."""
    pixels = np.eye(3)
    pixels[: len(matrix)] = matrix
    return Affine(
        _um_from_index(moving.frame) @ pixels @ np.linalg.inv(_um_from_index(fixed.frame)),
        fixed.full.space,
        moving.full.space,
    )


def transform_from_samples(moved_index: Field, grid: Frame, fixed: View, moving: View) -> Transform:
    """`moving_from_fixed` from where the pixel centres of `grid`, in the fixed slide's space, fall
    on the moving view.

    `moved_index` is (2, H, W), x and y in pixel indices of the moving view. An affine fit and a
    field of what remains, so that the map goes on sensibly outside the grid. Raises `InputError`
    where it is not finite or has collapsed.
    """
    inside = grid.centres_um()
    to = _um_from_index(moving.frame)
    moved = moved_index.reshape(2, -1).T @ to[:2, :2].T + to[:2, 2]
    affine = fit_affine(inside[::7], moved[::7], fixed.full.space, moving.full.space)
    rest = (affine.inverse()(moved) - inside).T.reshape(moved_index.shape)
    return Chain(
        (
            DisplacementField(rest.astype(np.float32), grid, fixed.full.space, fixed.full.space),
            affine,
        )
    )


def _um_from_index(frame: Frame) -> Matrix:
    (mx, my), (ox, oy) = frame.mpp, frame.origin_um
    return np.array([[mx, 0, ox + mx / 2], [0, my, oy + my / 2], [0, 0, 1]])
