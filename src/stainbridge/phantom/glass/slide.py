"""A generated section on glass, rendered as it is read."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from stainbridge.geometry.frame import Frame
from stainbridge.geometry.transform import Transform
from stainbridge.phantom.glass.artefacts import Artefact
from stainbridge.phantom.glass.damage import ExtraPiece, Hole
from stainbridge.phantom.glass.mounted_section import MountedSection
from stainbridge.phantom.glass.scanned_slide import ScannedSlide
from stainbridge.phantom.space.crop import FloatArray
from stainbridge.phantom.space.deformation import (
    UNDEFORMED,
    DeformationConfig,
    build_tissue_from_slide,
    measure_fold_distance_um,
    measure_tear_distance_um,
    unfold_points,
)
from stainbridge.phantom.staining.laboratory import REFERENCE, Laboratory
from stainbridge.phantom.staining.stain import Stain
from stainbridge.phantom.staining.stained_section import StainedSection
from stainbridge.types import Points


@dataclass(frozen=True, eq=False, repr=False)
class PhantomSlide(ScannedSlide):
    """A section on a glass slide, seen by a scanner; a `Slide`.

    Bright field is 8-bit RGB. A fluorescent stain gives one 12-bit channel for each dye.

    Any part can be read at any pixel size, also finer than `frame`. A read of a part equals the
    part of a whole read at the same pixel size and pixel grid. The same fields give the same
    pixels, also in another process. Reads are thread-safe and need about 60 bytes a pixel read plus
    200 MB of cached tiles.

    Raises `InputError` when the frame does not start at (0, 0), or for a JPEG quality that does not
    exist.
    """

    section: StainedSection
    """The section on the slide."""
    frame: Frame
    """The full-resolution frame of the slide."""
    deformation: DeformationConfig = UNDEFORMED
    """How the section lies."""
    laboratory: Laboratory = REFERENCE
    """Who stained and scanned it."""
    artefacts: tuple[Artefact, ...] = ()
    """What else the scanner sees."""
    holes: tuple[Hole, ...] = ()
    """What is missing from the section."""
    pieces: tuple[ExtraPiece, ...] = ()
    """Other tissue on the same glass."""
    jpeg_quality: int | None = None
    """What the scanner stored full-resolution pixels with; None: without loss."""
    seed: int = 0
    """Seed of the elastic deformation and the sensor noise."""

    @cached_property
    def tissue_from_slide(self) -> Transform:
        """The map from slide points to the tissue points seen there, in µm.

        Its inverse is exact beside tears and folds.
        """
        tissue_frame = self.mounted.tissue_frame
        return build_tissue_from_slide(self.deformation, tissue_frame, self.frame, self.seed)

    @cached_property
    def mounted(self) -> MountedSection:
        """The section as it lies on the glass."""
        return MountedSection(
            self.section, self.frame, self.deformation, self.holes, self.pieces, self.seed
        )

    @property
    def dyed_with(self) -> Stain:
        """The stain of the section."""
        return self.section.stain

    @property
    def block_seed(self) -> int:
        """Seed of the block that the section was cut from."""
        return self.section.tissue.seed

    def tissue_depth_um(self, points_um: Points) -> FloatArray:
        """Return depths below the tissue's outline, (N,), at slide points (N, 2).

        They are exact to about 1 % of the tissue's size, and negative on glass, also in gaps and
        holes.
        """
        depth = self.section.tissue_depth_um(self.tissue_from_slide(points_um))
        return np.asarray(np.minimum(depth, self.gap_distance_um(points_um)))

    def gap_distance_um(self, points_um: Points) -> FloatArray:
        """Return signed distances, (N,), of slide points (N, 2) to the rims of tears and holes.

        They are negative inside a tear or a hole.
        """
        unfolded = unfold_points(self.deformation, points_um, self.frame)
        distance = measure_tear_distance_um(self.deformation, unfolded)
        for hole in self.holes:
            distance = np.minimum(distance, hole.rim_distance_um(points_um))
        return distance

    def fold_distance_um(self, points_um: Points) -> FloatArray:
        """Return signed distances, (N,), of slide points (N, 2) to the rims of folds.

        They are negative where tissue is doubled up.
        """
        return measure_fold_distance_um(self.deformation, points_um)
