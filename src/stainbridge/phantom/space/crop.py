"""Crop a frame to a box, for things that cover only a small part of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from stainbridge.geometry.frame import Frame

FloatArray: TypeAlias = npt.NDArray[np.floating]
Window: TypeAlias = tuple[slice, slice]  # rows, columns
BoxUm: TypeAlias = tuple[FloatArray, FloatArray]  # lower and upper corner, (2,) µm each


@dataclass(frozen=True, eq=False)
class FrameCrop:
    """The pixels of a larger frame that lie in a box."""

    frame: Frame
    """The cropped frame."""
    window: Window
    """Rows and columns of the larger frame."""

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width)."""
        return self.frame.height, self.frame.width


def crop_to_box(frame: Frame, box_um: BoxUm) -> FrameCrop | None:
    """Return the pixels of `frame` inside the box, or None when there are none."""
    corners = frame.to_px(np.stack(box_um))
    size = (frame.width, frame.height)
    low = np.clip(np.floor(corners[0]), 0, size).astype(int).tolist()
    high = np.clip(np.ceil(corners[1]), low, size).astype(int).tolist()
    if high[0] <= low[0] or high[1] <= low[1]:
        return None
    cropped = frame.crop(low[0], low[1], high[0] - low[0], high[1] - low[1])
    return FrameCrop(cropped, (slice(low[1], high[1]), slice(low[0], high[0])))
