"""A section in tissue space as a slide, of dye amounts or of class numbers.

As slides they can be warped onto glass.
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
from stainbridge.phantom.space.raster_tiles import (
    TILE_PX,
    DrawTile,
    assemble_tiles,
    locate_tile,
)
from stainbridge.phantom.staining.stained_section import StainedSection
from stainbridge.slides.slide import Channel, SlideInfo

#: The finest pixel size in µm.
FINEST_MPP = 0.1
#: Each level is this much coarser than the one before; a reader picks the next finer one.
LEVEL_STEP = 1.12
#: Tiles kept for the next reads, of 1.5 MB each.
CACHED_TILES = 64


@dataclass(frozen=True, repr=False)
class TissueSlide(GeneratedSlide):
    """What a section shows anywhere in tissue space.

    It is assembled from tiles that are always the same, some of which are cached.
    """

    section: StainedSection
    """The section."""
    cache_dtype: ClassVar[npt.DTypeLike] = np.uint8
    """The type that tiles are cached in."""

    @property
    @abstractmethod
    def info(self) -> SlideInfo:
        """The channels, and the type of what is read."""

    @abstractmethod
    def draw(self, frame: Frame) -> npt.NDArray[np.generic]:
        """Return values (H, W, C) on a frame with square pixels."""

    @property
    def frame(self) -> Frame:
        """The tissue area at the finest pixel size."""
        return self.levels[0]

    @cached_property
    def levels(self) -> tuple[Frame, ...]:
        """Pixel sizes from 0.1 µm to a twentieth of the area, all with exactly square pixels."""
        coarsest_mpp = self.section.tissue.shorter_side_um / 20
        count = int(np.log(coarsest_mpp / FINEST_MPP) / np.log(LEVEL_STEP)) + 1
        return tuple(self._build_level(FINEST_MPP * LEVEL_STEP**n) for n in range(count))

    @property
    def stain(self) -> str:
        """The name of the stain."""
        return self.section.stain.name

    def read(self, frame: Frame) -> Image:
        """Return the section, (C, H, W), on a frame on the tile grid; valid everywhere."""
        channels = len(self.info.channels)
        pixels = assemble_tiles(frame, self._draw_cached_tile, channels, self.info.dtype)
        valid = np.ones(pixels.shape[:2], bool)
        return Image(np.moveaxis(pixels, -1, 0), frame, valid, self.stain)

    @cached_property
    def _draw_cached_tile(self) -> DrawTile:
        return lru_cache(CACHED_TILES)(self._draw_tile)

    def _draw_tile(
        self, mpp: tuple[float, float], column: int, row: int
    ) -> npt.NDArray[np.generic]:
        """Return one tile, drawn where tissue can be: coarse tiles reach far beyond the area."""
        tile = np.zeros((TILE_PX, TILE_PX, len(self.info.channels)), self.cache_dtype)
        tile_frame = locate_tile(self.frame.space, mpp, column, row)
        size_um = np.array([self.section.tissue.width_um, self.section.tissue.height_um])
        crop = crop_to_box(tile_frame, (-0.05 * size_um, 1.05 * size_um))
        if crop is not None:
            tile[crop.window] = self.draw(crop.frame)
        return tile

    def _build_level(self, mpp: float) -> Frame:
        tissue = self.section.tissue
        height = int(np.ceil(tissue.height_um / mpp))
        width = int(np.ceil(tissue.width_um / mpp))
        name = f"tissue {tissue.seed}"  # sections of a block share its space
        return Space(name, height, width, (mpp, mpp), id=name).frame


class TissueDyeSlide(TissueSlide):
    """Dye amounts of a section: three float32 channels; 0 is bare glass."""

    cache_dtype: ClassVar[npt.DTypeLike] = np.float16

    @property
    def info(self) -> SlideInfo:
        """Three channels named after the dyes."""
        dyes = tuple(Channel(dye.name) for dye in self.section.stain.dyes)
        return SlideInfo("generated", "phantom", "generated", None, np.float32, dyes)

    def draw(self, frame: Frame) -> npt.NDArray[np.float32]:
        """Return dye amounts, (H, W, 3)."""
        return self.section.draw_dyes(frame)


class TissueClassSlide(TissueSlide):
    """Tissue classes of a section: one uint8 channel, numbered as in `classes.CLASS_NAMES`."""

    @property
    def info(self) -> SlideInfo:
        """One channel."""
        return SlideInfo("generated", "phantom", "generated", None, np.uint8, (Channel("class"),))

    def draw(self, frame: Frame) -> npt.NDArray[np.uint8]:
        """Return class numbers, (H, W, 1)."""
        return self.section.draw_classes(frame)[..., None]
