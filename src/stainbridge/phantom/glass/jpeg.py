"""JPEG compression as scanners store pixels: on a block grid that is fixed to the slide."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from stainbridge.geometry.frame import Frame

Rgb = npt.NDArray[np.uint8]  # (H, W, 3)

#: Side in pixels of the blocks that JPEG compresses on their own when colours are subsampled.
_BLOCK_PX = 16
#: How many pixels around a pixel can change it: its block, and the next one, with which colours are
#: smoothed.
MARGIN_PX = 2 * _BLOCK_PX


def apply_jpeg(pixels: Rgb, frame: Frame, quality: int) -> Rgb:
    """Compress `pixels`, (H, W, 3) on `frame`, in place, and return them.

    Pixels of blocks that are cut by the frame's edges stay as they are.
    """
    first = np.rint(np.divide(frame.origin_um, frame.mpp)).astype(int)
    left, top = (-first % _BLOCK_PX).tolist()
    right = left + (frame.width - left) // _BLOCK_PX * _BLOCK_PX
    bottom = top + (frame.height - top) // _BLOCK_PX * _BLOCK_PX
    if right <= left or bottom <= top:
        return pixels
    bgr = np.ascontiguousarray(pixels[top:bottom, left:right, ::-1])
    _, code = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    pixels[top:bottom, left:right] = np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR))[..., ::-1]
    return pixels
