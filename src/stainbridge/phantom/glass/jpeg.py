"""What JPEG leaves of pixels, as a scanner stores them: on a block grid fixed to the slide,
whatever is read.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from stainbridge.geometry.frame import Frame

Rgb = npt.NDArray[np.uint8]  # (H, W, 3)

_BLOCK_PX = 16  # with subsampled colours
#: Pixels around a read that change what JPEG makes of it: a block, and the one its colours are
#: smoothed with.
MARGIN_PX = 2 * _BLOCK_PX


def apply_jpeg(pixels: Rgb, frame: Frame, quality: int) -> Rgb:
    """`pixels` (H, W, 3) of `frame` after JPEG; a rim of up to a block is left as it is."""
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
