"""Write small pictures of a patch, by which people judge its alignment."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import PIL.Image

from stainbridge.imaging.image import Image
from stainbridge.imaging.pictures import Picture, checkerboard, render_rgb
from stainbridge.types import Plane
from stainbridge.whole import whole_file

#: Pixels along a side of each of the three pictures.
SIDE_PX = 224
#: Squares along a side of the checkerboard.
SQUARES = 7
#: JPEG quality, 1 to 95: a page holds about a hundred of them.
JPEG_QUALITY = 80
#: RGB colour of the outline of what the checkerboard shows.
OUTLINE = (20, 60, 200)


def write_thumb(fixed: Image, moving: Image, path: Path) -> None:
    """Write both pictures of a patch and a checkerboard side by side, as JPEG, whole or not at all.

    `fixed` and `moving` are (C, H, W) pictures on one frame. The checkerboard shows the most
    structured part of both at their own resolution, so that a few pixels are seen. The folder is
    made where it is missing.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as temporary:
        strip = draw_strip(render_rgb(fixed), render_rgb(moving))
        PIL.Image.fromarray(strip).save(temporary, "JPEG", quality=JPEG_QUALITY)


def draw_strip(fixed: Picture, moving: Picture) -> Picture:
    """Return both pictures, small, and the checkerboard: (`SIDE_PX`, 3 × `SIDE_PX`, 3).

    The pictures are squares of one size. An outline in both is what the checkerboard shows.
    """
    side_px = len(fixed)
    crop_px = min(SIDE_PX, side_px)
    scale = side_px / SIDE_PX
    small = [_resize(fixed), _resize(moving)]
    row, column = find_structured_crop(small[0], small[1], round(crop_px / scale))
    top = min(round(row * scale), side_px - crop_px)
    left = min(round(column * scale), side_px - crop_px)
    window = slice(top, top + crop_px), slice(left, left + crop_px)
    board = _resize(checkerboard(fixed[window], moving[window], SQUARES))
    opposite = round((left + crop_px) / scale) - 1, round((top + crop_px) / scale) - 1
    for picture in small:
        cv2.rectangle(picture, (round(left / scale), round(top / scale)), opposite, OUTLINE, 1)
    return np.hstack([*small, board])


def find_structured_crop(fixed: Picture, moving: Picture, side: int) -> tuple[int, int]:
    """Return row and column of the `side` × `side` crop where both pictures show most edges.

    What counts is the product of the mean gradients of grey.
    """
    edges = _mean_gradient(fixed, side) * _mean_gradient(moving, side)
    row, column = np.unravel_index(int(edges.argmax()), edges.shape)
    return int(row), int(column)


def _mean_gradient(picture: Picture, side: int) -> Plane:
    """Return the mean length of the gradient of grey in every `side` × `side` window that fits."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    height, width = grey.shape
    slopes = [cv2.Sobel(grey, -1, dx, 1 - dx, borderType=cv2.BORDER_REPLICATE) for dx in (0, 1)]
    mean = cv2.boxFilter(np.hypot(*slopes), -1, (side, side), anchor=(0, 0))
    return np.asarray(mean[: height - side + 1, : width - side + 1])


def _resize(picture: Picture) -> Picture:
    """Return a copy of the picture as a square of `SIDE_PX`."""
    shrinks = max(picture.shape[:2]) > SIDE_PX
    method = cv2.INTER_AREA if shrinks else cv2.INTER_NEAREST
    return np.array(cv2.resize(picture, (SIDE_PX, SIDE_PX), interpolation=method), np.uint8)
