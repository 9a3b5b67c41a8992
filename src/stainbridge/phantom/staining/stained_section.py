"""A stained section of a block of tissue: dye amounts anywhere, at any resolution."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame
from stainbridge.phantom.space.pickling import PickledByFields
from stainbridge.phantom.staining.dyeing import average_dyes, stain_section
from stainbridge.phantom.staining.library import STAINS
from stainbridge.phantom.staining.stain import DyeAmounts, Stain
from stainbridge.phantom.tissue.classes import Labels, label_classes
from stainbridge.phantom.tissue.config import TissueConfig
from stainbridge.phantom.tissue.section_raster import rasterise_section
from stainbridge.phantom.tissue.zones import TissuePlane, Zones
from stainbridge.types import Plane, Points

#: Dyes are drawn on pixels of at most this size in µm; coarser ones are averaged from them.
MAX_DRAWN_MPP = 10.5


@dataclass(frozen=True)
class StainedSection(PickledByFields):
    """A section cut from a block of tissue, and stained.

    Sections of a block share its structure, which changes slowly with depth. Nuclei are drawn anew
    for each whole micrometre.

    Raises `InputError` for a distance that is not finite.
    """

    tissue: TissueConfig
    """The block of tissue."""
    stain: Stain = STAINS["HE"]
    """The stain."""
    distance_um: float = 0.0
    """Depth of the section below the block's reference plane."""

    def __post_init__(self) -> None:
        if not np.isfinite(self.distance_um):
            raise InputError(
                "the section's distance must be finite", expected="µm", got=self.distance_um
            )

    @cached_property
    def plane(self) -> TissuePlane:
        """The plane of the block in which the section is cut."""
        return TissuePlane(self.tissue, self.distance_um)

    def tissue_depth_um(self, tissue_points_um: Points) -> Plane:
        """Return depths below the outline, (N,), at points (N, 2) of tissue space.

        They are exact to about 1 % of the tissue's size.
        """
        return self._sample_zones(tissue_points_um).tissue_depth_um

    def fat_depth_um(self, tissue_points_um: Points) -> Plane:
        """Return depths in fat, (N,), at points (N, 2) of tissue space; as exact as the outline."""
        return self._sample_zones(tissue_points_um).fat_depth_um

    def _sample_zones(self, points_um: Points) -> Zones:
        x, y = np.asarray(points_um, np.float32).T
        return self.plane.sample_zones(x, y)

    def draw_dyes(self, frame: Frame) -> DyeAmounts:
        """Return dye amounts, (H, W, 3); 0 is bare glass.

        `frame` lies in tissue space and has square pixels.
        """
        factor = int(np.ceil(frame.mpp[0] / MAX_DRAWN_MPP))
        if factor > 1:
            mpp = frame.mpp[0] / factor
            height = frame.height * factor
            width = frame.width * factor
            fine = Frame(frame.space, height, width, (mpp, mpp), frame.origin_um)
            return average_dyes(self._draw_fine_dyes(fine), frame)
        return self._draw_fine_dyes(frame)

    def draw_classes(self, frame: Frame) -> Labels:
        """Return the tissue class of each pixel, (H, W), numbered as in `classes.CLASS_NAMES`."""
        return label_classes(self.plane, frame)

    def _draw_fine_dyes(self, frame: Frame) -> DyeAmounts:
        section = rasterise_section(self.plane, frame)
        if section is None:
            return np.zeros((frame.height, frame.width, 3), np.float32)
        return stain_section(section, self.stain)
