"""The fourth byte of 32-bit bitmaps: reserved by the format, alpha to many writers."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import numpy.typing as npt

#: The fields of a BITMAPINFOHEADER and of the file header before it that are needed.
HEADER = struct.Struct("<10xI4xiiHHI")
#: Bits of a pixel, and the compression, of pixels stored as blue, green, red and a reserved byte.
BITS = 32
UNCOMPRESSED = 0


def read_reserved_alpha(path: Path) -> npt.NDArray[np.uint8] | None:
    """Return the fourth bytes of a bitmap's pixels, (H, W) uint8, where they are alpha.

    They are where they differ; None for other bitmaps, and for one that is cut.
    """
    with path.open("rb") as file:
        header = file.read(HEADER.size)
    if len(header) < HEADER.size:
        return None
    offset, width, height, _, bits, compression = HEADER.unpack(header)
    if (bits, compression) != (BITS, UNCOMPRESSED):
        return None
    samples = np.fromfile(path, np.uint8, 4 * width * abs(height), offset=offset)
    if samples.size < 4 * width * abs(height):
        return None
    alpha = samples.reshape(abs(height), width, 4)[..., 3]
    if alpha.min() == alpha.max():
        return None
    return alpha[::-1] if height > 0 else alpha
