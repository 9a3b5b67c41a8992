"""Slides that are computed: what they share beside their pixels."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

from stainbridge.geometry.frame import Frame
from stainbridge.imaging.image import Image


class GeneratedSlide(ABC):
    """A `Slide` without a file: nothing to open or to release."""

    @abstractmethod
    def read(self, frame: Frame) -> Image:
        """The slide sampled on `frame`."""

    def close(self) -> None:  # noqa: B027
        """Nothing to release."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def build_levels(frame: Frame) -> tuple[Frame, ...]:
    """The full resolution and its halves down to about 512 pixels."""
    levels = [frame]
    while max(levels[-1].width, levels[-1].height) > 1024:
        factor = 2 ** len(levels)
        levels.append(frame.at_mpp((frame.mpp[0] * factor, frame.mpp[1] * factor)))
    return tuple(levels)
