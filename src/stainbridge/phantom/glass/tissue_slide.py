"""A section in tissue space as a slide, of dye amounts or of class labels, so that whatever warps
slides can lay it.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from stainbridge.geometry.frame import Frame, Space
from stainbridge.imaging.image import Image
from stainbridge.phantom.glass.generated import GeneratedSlide
from stainbridge.phantom.space.crop import crop_to_box
from stainbridge.phantom.space.raster_tiles import TILE_PX, DrawTile, assemble_tiles, locate_tile
from stainbridge.phantom.staining.stained_section import StainedSection
from stainbridge.slides.slide import Channel, SlideInfo

FINEST_MPP = 0.1
#: Resolutions offered, each this much coarser than the one before: the reader picks the next finer
#: one.
LEVEL_STEP = 1.12
CACHED_TILES = 64  # 1.5 MB each


@dataclass(frozen=True)
class TissueSlide(GeneratedSlide):
    """What `section` shows anywhere, put together from blocks that are always the same, some of
    which are kept.
    """

    section: StainedSection
    #: The type blocks are kept in.
    stored: ClassVar[npt.DTypeLike] = np.uint8

    @property
    @abstractmethod
    def info(self) -> SlideInfo:
        """The channels and the type of what is read."""

    @abstractmethod
    def drawn(self, place: Frame) -> npt.NDArray[np.generic]:
        """(H, W, C) on a frame with square pixels."""

    @property
    def frame(self) -> Frame:
        """The tissue area at the finest offered pixel size."""
        return self.levels[0]

    @cached_property
    def levels(self) -> tuple[Frame, ...]:
        """Pixel sizes from 0.1 µm to a twentieth of the area, all with exactly square pixels."""
        tissue = self.section.tissue
        count = int(np.log(tissue.size_um / 20 / FINEST_MPP) / np.log(LEVEL_STEP)) + 1
        return tuple(self._level(FINEST_MPP * LEVEL_STEP**n) for n in range(count))

    @property
    def stain(self) -> str:
        """The stain's name."""
        return self.section.stain.name

    def read(self, frame: Frame) -> Image:
        """(C, H, W) on a frame with square pixels on the grid of the area; valid everywhere."""
        out = assemble_tiles(frame, self._block, len(self.info.channels), self.info.dtype)
        return Image(np.moveaxis(out, -1, 0), frame, np.ones(out.shape[:2], bool), self.stain)

    @cached_property
    def _block(self) -> DrawTile:
        return lru_cache(CACHED_TILES)(self._placed)

    def _placed(self, mpp: tuple[float, float], column: int, row: int) -> npt.NDArray[np.generic]:
        """One block, drawn where tissue can be: coarse blocks reach far beyond the area."""
        block = np.zeros((TILE_PX, TILE_PX, len(self.info.channels)), self.stored)
        place = locate_tile(self.frame.space, mpp, column, row)
        size = np.array([self.section.tissue.width_um, self.section.tissue.height_um])
        part = crop_to_box(place, (-0.05 * size, 1.05 * size))
        if part is not None:
            block[part.window] = self.drawn(part.frame)
        return block

    def _level(self, mpp: float) -> Frame:
        tissue = self.section.tissue
        size = (int(np.ceil(tissue.height_um / mpp)), int(np.ceil(tissue.width_um / mpp)))
        name = f"tissue {tissue.seed}"
        return Space(name, *size, (mpp, mpp), id=name).frame


class TissueDyeSlide(TissueSlide):
    """The section unstained by light: three float32 channels, the amounts of its stain's dyes; 0 is
    bare glass.
    """

    stored: ClassVar[npt.DTypeLike] = np.float16

    @property
    def info(self) -> SlideInfo:
        """Three channels named after the dyes."""
        dyes = tuple(Channel(dye.name) for dye in self.section.stain.dyes)
        return SlideInfo("generated", "phantom", "generated", None, np.float32, dyes)

    def drawn(self, place: Frame) -> npt.NDArray[np.float32]:
        """Dye amounts, (H, W, 3)."""
        return self.section.amounts(place)


class TissueClassSlide(TissueSlide):
    """The section's tissue classes: one uint8 channel, numbered as in `classes.CLASS_NAMES`."""

    @property
    def info(self) -> SlideInfo:
        """One channel."""
        return SlideInfo("generated", "phantom", "generated", None, np.uint8, (Channel("class"),))

    def drawn(self, place: Frame) -> npt.NDArray[np.uint8]:
        """Class numbers, (H, W, 1)."""
        return self.section.labels(place)[..., None]
