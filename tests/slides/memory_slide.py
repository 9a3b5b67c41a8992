"""A slide held in memory, for tests: counts its reads, resamples by area, may refuse to be read."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from threading import Lock
from types import TracebackType
from typing import Self

import cv2
import numpy as np

from stainbridge.geometry.frame import Frame, Space
from stainbridge.imaging.image import Image
from stainbridge.slides.slide import Channel, SlideInfo
from stainbridge.types import Mask, Pixels

RGB = tuple(Channel(name) for name in "RGB")


@dataclass
class MemorySlide:
    """A slide of `pixels` (C, H, W).

    `hole` marks pixels that are not valid; `factors` are the downsamples of its levels.
    """

    pixels: Pixels
    mpp: tuple[float, float] = (0.5, 0.5)
    channels: tuple[Channel, ...] = RGB
    hole: Mask | None = None
    factors: tuple[int, ...] = (1,)
    calibrated: bool = True
    name: str = "moving"
    reads: list[Frame] = field(default_factory=list)
    closed: bool = False
    _lock: Lock = field(default_factory=Lock)

    @property
    def info(self) -> SlideInfo:
        return SlideInfo("memory", "memory", "array", None, self.pixels.dtype, self.channels)

    @cached_property
    def frame(self) -> Frame:
        _, height, width = self.pixels.shape
        return Space(self.name, height, width, self.mpp, calibrated=self.calibrated).frame

    @property
    def levels(self) -> tuple[Frame, ...]:
        return tuple(self.frame.at_mpp((self.mpp[0] * f, self.mpp[1] * f)) for f in self.factors)

    @property
    def stain(self) -> str | None:
        return "HE"

    def read(self, frame: Frame) -> Image:
        with self._lock:
            self.reads.append(frame)
        grid = self.frame.at_mpp(frame.mpp)
        pixels = self.pixels
        if (grid.width, grid.height) != (self.frame.width, self.frame.height):
            pixels = np.stack(
                [
                    cv2.resize(p, (grid.width, grid.height), interpolation=cv2.INTER_AREA)
                    for p in pixels
                ]
            )
        x, y = np.round((np.array(frame.origin_um) - grid.origin_um) / grid.mpp).astype(int)
        out = np.full(
            (len(pixels), frame.height, frame.width), 255 if self.info.is_rgb else 0, pixels.dtype
        )
        valid = np.zeros((frame.height, frame.width), bool)
        rows = slice(max(0, -y), max(0, min(frame.height, grid.height - y)))
        columns = slice(max(0, -x), max(0, min(frame.width, grid.width - x)))
        place = (slice(rows.start + y, rows.stop + y), slice(columns.start + x, columns.stop + x))
        out[:, rows, columns] = pixels[:, place[0], place[1]]
        valid[rows, columns] = True if self.hole is None else ~self.hole[place]
        return Image(out, frame, valid, "HE")

    def close(self) -> None:
        self.closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def draw_texture(
    channels: int, height: int, width: int, dtype: type = np.uint8, seed: int = 0
) -> Pixels:
    """Band-limited noise over the whole range of the number type, (C, H, W)."""
    rng = np.random.default_rng(seed)
    noise = [cv2.GaussianBlur(rng.normal(size=(height, width)), (0, 0), 3) for _ in range(channels)]
    top = np.iinfo(dtype).max if np.issubdtype(dtype, np.integer) else 1.0
    scaled = [(0.1 + 0.8 * (n - n.min()) / (n.max() - n.min())) * top for n in noise]
    return np.stack(scaled).astype(dtype)
