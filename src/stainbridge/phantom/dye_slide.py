"""A section as a slide of dye amounts in tissue space, so that whatever warps slides can lay it on glass."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from types import TracebackType
from typing import Self

import numpy as np

from stainbridge.geometry.frame import Frame
from stainbridge.imaging.image import Image
from stainbridge.phantom.section import Section
from stainbridge.slides.slide import Channel, SlideInfo

FINEST_MPP = 0.1
#: Resolutions offered, each this much coarser than the one before: the reader picks the next finer one.
STEP = 1.12


@dataclass(frozen=True)
class DyeSlide:
    """`section` unstained by light: three float32 channels, the amounts of its stain's dyes; 0 is bare glass."""

    section: Section

    @property
    def info(self) -> SlideInfo:
        """Three channels named after the dyes."""
        dyes = tuple(Channel(dye) for dye in self.section.stain.dyes)
        return SlideInfo("generated", "phantom", "generated", None, np.float32, dyes)

    @property
    def frame(self) -> Frame:
        """The tissue area at the finest offered pixel size."""
        return self.levels[0]

    @cached_property
    def levels(self) -> tuple[Frame, ...]:
        """Pixel sizes from 0.1 µm to a twentieth of the area, all with exactly square pixels."""
        tissue = self.section.tissue
        count = int(np.log(tissue.size_um / 20 / FINEST_MPP) / np.log(STEP)) + 1
        return tuple(self._level(FINEST_MPP * STEP**n) for n in range(count))

    @property
    def stain(self) -> str:
        """The stain's name."""
        return self.section.stain.name

    def read(self, frame: Frame) -> Image:
        """Dye amounts, (3, H, W) float32, on a frame with square pixels; valid everywhere."""
        amounts = self.section.amounts(frame)
        return Image(np.moveaxis(amounts, -1, 0), frame, np.ones(amounts.shape[:2], bool), self.stain)

    def close(self) -> None:
        """Nothing to release."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _level(self, mpp: float) -> Frame:
        tissue = self.section.tissue
        size = (int(np.ceil(tissue.height_um / mpp)), int(np.ceil(tissue.width_um / mpp)))
        return Frame(f"tissue {tissue.seed}", *size, (mpp, mpp))
