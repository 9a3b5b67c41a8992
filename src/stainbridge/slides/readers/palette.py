"""Tell palettes that colour labels from palettes that only store greys."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image


def colours_labels(colours: npt.NDArray[np.uint8]) -> bool:
    """Return whether a palette (N, 3 or more) has a colour, so that its numbers are the labels.

    Labels are often saved as numbers with a colour each, 0 in black or in white. A palette of greys
    is another way to store a mask.
    """
    return bool((colours[:, :3] != colours[:, :1]).any())


def read_palette(picture: Image.Image) -> npt.NDArray[np.uint8] | None:
    """Return the palette (N, channels) of a picture in Pillow's mode P; None in other modes."""
    if picture.mode != "P" or picture.palette is None:
        return None
    mode, colours = picture.palette.getdata()
    width = len(mode)
    stored = np.frombuffer(colours, np.uint8)
    return stored[: len(stored) // width * width].reshape(-1, width)
