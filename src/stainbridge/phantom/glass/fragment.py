"""A piece cut from a section, mounted on its own: its outline, its place, how it lies."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame
from stainbridge.geometry.transform import Transform
from stainbridge.phantom.glass.tissue_slide import TissueDyeSlide
from stainbridge.phantom.space.crop import BoxUm, FloatArray
from stainbridge.phantom.space.deformation import (
    DeformationConfig,
    build_drawing_transform,
    build_tissue_from_slide,
)
from stainbridge.phantom.space.pickling import PickledByFields
from stainbridge.phantom.staining.stained_section import StainedSection
from stainbridge.types import Points

#: Waves of a torn edge: wavelength in radii of the piece, and amplitude in radii.
_EDGE_WAVES = ((0.9, 0.035), (0.31, 0.015))
#: The box around a fragment is this many radii of its cut from its middle.
_BOX_REACH = 1.25


@dataclass(frozen=True)
class Cut:
    """The part of a section that a fragment is: a disc, and in it the cell nearest to its middle.

    Raises `InputError` for a radius that is not positive.
    """

    middle_um: tuple[float, float]
    """The middle, (x, y) in tissue space."""
    radius_um: float
    """No tissue farther from the middle belongs to it."""
    neighbours_um: tuple[tuple[float, float], ...] = ()
    """Middles of other pieces of the section: the cut runs half-way to each, crookedly."""

    def __post_init__(self) -> None:
        if not self.radius_um > 0:
            raise InputError("a fragment needs a radius", got=self.radius_um)

    def depth_um(self, tissue_points_um: Points) -> FloatArray:
        """Return depths below the cut's outline, (N,), negative outside, at points (N, 2)."""
        offset = np.asarray(tissue_points_um) - self.middle_um
        depth = self.radius_um - np.hypot(*offset.T)
        for neighbour in self.neighbours_um:
            towards = np.subtract(neighbour, self.middle_um)
            distance_um = float(np.hypot(*towards))
            direction = towards / distance_um
            across = offset @ direction
            along = offset @ (-direction[1], direction[0])
            depth = np.minimum(depth, distance_um / 2 - across - self._crook_um(along))
        return np.asarray(depth)

    def _crook_um(self, along_um: FloatArray) -> FloatArray:
        """Return how far the cut runs on this side of the straight line, (N,); never beyond it."""
        waves = (
            amplitude * (1 + np.sin(2 * np.pi * along_um / (wavelength * self.radius_um)))
            for wavelength, amplitude in _EDGE_WAVES
        )
        return np.asarray(self.radius_um * sum(waves))


@dataclass(frozen=True)
class Fragment(PickledByFields):
    """A piece of a section as it lies on a slide."""

    name: str
    """What landmarks call it; the same piece has the same name on both slides."""
    section: StainedSection
    """The section that it was cut from."""
    cut: Cut
    """The part of the section that it is."""
    centre_um: tuple[float, float]
    """Where the cut's middle lies on the slide, (x, y)."""
    deformation: DeformationConfig
    """How it lies, but for its place."""
    slide: Frame
    """The full-resolution frame of its slide."""
    seed: int = 0
    """Seed of its elastic deformation."""

    @property
    def box_um(self) -> BoxUm:
        """A box around the fragment on its slide."""
        reach = _BOX_REACH * self.cut.radius_um * self.deformation.scale
        return np.subtract(self.centre_um, reach), np.add(self.centre_um, reach)

    @cached_property
    def tissue_from_slide(self) -> Transform:
        """The map from slide points to the tissue points seen there, in µm."""
        return build_tissue_from_slide(
            self.placed_deformation, self._tissue_frame, self.slide, self.seed
        )

    @cached_property
    def drawing_transform(self) -> Transform:
        """The map from slide to tissue points in single precision, to draw with."""
        return build_drawing_transform(
            self.placed_deformation, self._tissue_frame, self.slide, self.seed
        )

    @cached_property
    def placed_deformation(self) -> DeformationConfig:
        """The deformation with the shift that takes the cut's middle to its place."""
        tissue = self._tissue_frame
        unplaced = build_tissue_from_slide(self.deformation, tissue, self.slide, self.seed)
        middle = unplaced.inverse()(np.array([self.cut.middle_um]))[0]
        shift = np.subtract(self.centre_um, middle) / min(tissue.size_um)
        x, y = np.add(self.deformation.shift, shift).tolist()
        return replace(self.deformation, shift=(x, y))

    @property
    def _tissue_frame(self) -> Frame:
        return TissueDyeSlide(self.section).frame

    def cut_depth_um(self, points_um: Points) -> FloatArray:
        """Return depths below the cut's outline, (N,), at slide points (N, 2)."""
        return self.cut.depth_um(self.tissue_from_slide(points_um))

    def depth_um(self, points_um: Points) -> FloatArray:
        """Return depths below the outline of the fragment's tissue, (N,), at slide points."""
        tissue = self.tissue_from_slide(points_um)
        return np.minimum(self.cut.depth_um(tissue), self.section.tissue_depth_um(tissue))

    def fat_depth_um(self, points_um: Points) -> FloatArray:
        """Return depths in fat, (N,), at slide points (N, 2)."""
        return self.section.fat_depth_um(self.tissue_from_slide(points_um))
