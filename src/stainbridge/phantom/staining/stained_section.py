"""A stained section of a block of tissue: dye amounts anywhere, at any resolution."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame
from stainbridge.phantom.staining.dyeing import DyeAmounts, average_dyes, stain_section
from stainbridge.phantom.staining.library import STAINS
from stainbridge.phantom.staining.stain import Stain
from stainbridge.phantom.tissue.classes import Labels, label_classes
from stainbridge.phantom.tissue.zones import TissueConfig, Zones, sample_zones
from stainbridge.phantom.tissue.section_raster import rasterise_section
from stainbridge.types import Plane, Points

#: Structures are averaged from pixels of at most this size.
MAX_DRAWN_MPP = 10.5


@dataclass(frozen=True)
class StainedSection:
    """The section cut `distance_um` below the block's reference plane, stained.

    Sections share the structure, which changes slowly with depth; nuclei are drawn anew for each
    whole micrometre.
    """

    tissue: TissueConfig
    stain: Stain = STAINS["HE"]
    distance_um: float = 0.0

    def __post_init__(self) -> None:
        if not np.isfinite(self.distance_um):
            raise InputError(
                "the section's distance must be finite", expected="µm", got=self.distance_um
            )

    def depth_um(self, tissue_points_um: Points) -> Plane:
        """Depth below the outline at points (N, 2) of tissue space, in µm, to about 1 % of the
        tissue's size.
        """
        return self._zones_at(tissue_points_um).tissue_depth_um

    def fat_depth_um(self, tissue_points_um: Points) -> Plane:
        """Depth into fat at points (N, 2) of tissue space, likewise."""
        return self._zones_at(tissue_points_um).fat_depth_um

    def _zones_at(self, points_um: Points) -> Zones:
        x, y = np.asarray(points_um, np.float32).T
        return sample_zones(self.tissue, x, y, self.distance_um)

    def amounts(self, frame: Frame) -> DyeAmounts:
        """Dye amounts (H, W, 3) on `frame`, a frame in tissue space with square pixels; 0 is bare
        glass.
        """
        reduce = int(np.ceil(frame.mpp[0] / MAX_DRAWN_MPP))
        if reduce > 1:
            mpp = frame.mpp[0] / reduce
            fine = Frame(
                frame.space,
                frame.height * reduce,
                frame.width * reduce,
                (mpp, mpp),
                frame.origin_um,
            )
            return average_dyes(self._drawn(fine), frame)
        return self._drawn(frame)

    def labels(self, frame: Frame) -> Labels:
        """The tissue class of each pixel, (H, W) uint8, numbered as in `classes.CLASS_NAMES`."""
        return label_classes(self.tissue, frame, self.distance_um)

    def _drawn(self, frame: Frame) -> DyeAmounts:
        found = rasterise_section(self.tissue, frame, self.distance_um)
        if found is None:
            return np.zeros((frame.height, frame.width, 3), np.float32)
        return stain_section(found, self.stain)
