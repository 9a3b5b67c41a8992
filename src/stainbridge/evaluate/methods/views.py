"""Plain pictures for methods that work on them, and their pixel maps as transforms in µm."""

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
    """A slide's overview in grey."""

    grey: npt.NDArray[np.uint8]
    """(H, W)."""
    frame: Frame
    """Where the picture lies on the slide."""
    full: Frame
    """The slide's full-resolution frame."""


def grey_view(slide: Slide, longest_px: int) -> View:
    """Return the slide in grey, `longest_px` along its longer side at most.

    Of a slide that is not RGB it is the mean of the channels, stretched.
    """
    image = slide.read(slide.frame.fit(longest_px))
    return View(to_grey(image), image.frame, slide.frame)


def to_rgb(image: Image) -> npt.NDArray[np.uint8]:
    """Return the picture as (H, W, 3); where it is not RGB, its grey in every channel."""
    if len(image.pixels) == 3 and image.pixels.dtype == np.uint8:
        return np.ascontiguousarray(np.moveaxis(image.pixels, 0, -1))
    return np.repeat(to_grey(image)[..., None], 3, axis=-1)


def to_grey(image: Image) -> npt.NDArray[np.uint8]:
    """Return the picture in grey, (H, W); see `grey_view`."""
    if len(image.pixels) == 3 and image.pixels.dtype == np.uint8:
        return np.asarray(cv2.cvtColor(to_rgb(image), cv2.COLOR_RGB2GRAY))
    mean = np.asarray(image.pixels, np.float32).mean(axis=0)
    low, high = np.percentile(mean, (0.5, 99.5))
    return np.asarray(np.clip((mean - low) / max(float(high - low), 1e-6), 0, 1) * 255, np.uint8)


def affine_from_pixels(matrix: Matrix, fixed: View, moving: View) -> Affine:
    """Return `moving_from_fixed` for an affine map of the views' pixel indices, (2, 3) or (3, 3).

    Index 0 is the centre of the first pixel.
    """
    pixels = np.eye(3)
    pixels[: len(matrix)] = matrix
    return Affine(
        _um_from_index(moving.frame) @ pixels @ np.linalg.inv(_um_from_index(fixed.frame)),
        fixed.full.space,
        moving.full.space,
    )


def transform_from_samples(moved_index: Field, grid: Frame, fixed: View, moving: View) -> Transform:
    """Return `moving_from_fixed` for a map that is sampled at the pixel centres of `grid`.

    `grid` lies on the fixed slide; `moved_index` is (2, H, W), x and y in pixel indices of the
    moving view. The result is an affine fit and a field of the rest, so that it also holds outside
    the grid. Raises `InputError` where the map is not finite or has collapsed.
    """
    grid_um = grid.centres_um()
    matrix = _um_from_index(moving.frame)
    moved_um = moved_index.reshape(2, -1).T @ matrix[:2, :2].T + matrix[:2, 2]
    affine = fit_affine(grid_um[::7], moved_um[::7], fixed.full.space, moving.full.space)
    rest = (affine.inverse()(moved_um) - grid_um).T.reshape(moved_index.shape)
    field = DisplacementField(rest.astype(np.float32), grid, fixed.full.space, fixed.full.space)
    return Chain((field, affine))


def pixels_from_affine(affine: Affine, fixed: View, moving: View) -> Matrix:
    """Return an affine map of the slides as one of the views' pixel indices, (3, 3).

    It is the inverse of `affine_from_pixels`.
    """
    into_moving = np.linalg.inv(_um_from_index(moving.frame))
    return np.asarray(into_moving @ affine.matrix @ _um_from_index(fixed.frame))


def _um_from_index(frame: Frame) -> Matrix:
    mpp_x, mpp_y = frame.mpp
    origin_x, origin_y = frame.origin_um
    return np.array([[mpp_x, 0, origin_x + mpp_x / 2], [0, mpp_y, origin_y + mpp_y / 2], [0, 0, 1]])
