"""A glass slide of several pieces of tissue, rendered as it is read."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame
from stainbridge.geometry.piecewise import PieceRegion
from stainbridge.phantom.glass.artefacts import Artefact
from stainbridge.phantom.glass.damage import compute_outside_share
from stainbridge.phantom.glass.fragment import Fragment
from stainbridge.phantom.glass.mounted_tissue import MountedTissue
from stainbridge.phantom.glass.scanned_slide import ScannedSlide
from stainbridge.phantom.glass.tissue_slide import TissueClassSlide, TissueDyeSlide
from stainbridge.phantom.space.crop import crop_to_box
from stainbridge.phantom.space.pickling import PickledByFields
from stainbridge.phantom.staining.laboratory import REFERENCE, Laboratory
from stainbridge.phantom.staining.stain import DyeAmounts, Stain
from stainbridge.phantom.staining.stained_section import StainedSection
from stainbridge.phantom.tissue.classes import Labels
from stainbridge.slides.warped import WarpedSlide

#: Longest side, in pixels, of the mask of where a piece lies.
REGION_PX = 512


@dataclass(frozen=True, eq=False)
class MountedFragments(PickledByFields, MountedTissue):
    """Fragments as they lie on their slide; they do not touch each other."""

    fragments: tuple[Fragment, ...]
    """The fragments."""
    frame: Frame
    """The slide."""

    def draw_dyes_once(self, frame: Frame) -> DyeAmounts:
        """Return dye amounts, (H, W, 3), on a frame of the slide; nothing is cached."""
        amounts = np.zeros((frame.height, frame.width, 3), np.float32)
        for fragment, dyes in zip(self.fragments, self._warped_dyes, strict=True):
            crop = crop_to_box(frame, fragment.box_um)
            if crop is not None:
                depth = fragment.cut_depth_um(crop.frame.centres_um())
                share = compute_outside_share(depth, frame.mpp[0]).reshape(*crop.shape, 1)
                drawn = np.moveaxis(dyes.read(crop.frame).pixels, 0, -1)
                amounts[crop.window] += share * drawn
        return amounts

    def draw_classes(self, frame: Frame) -> Labels:
        """Return class numbers, (H, W), on a frame of the slide."""
        labels = np.zeros((frame.height, frame.width), np.uint8)
        for fragment, classes in zip(self.fragments, self._warped_classes, strict=True):
            crop = crop_to_box(frame, fragment.box_um)
            if crop is not None:
                inside = fragment.cut_depth_um(crop.frame.centres_um()).reshape(crop.shape) > 0
                drawn = classes.read(crop.frame).pixels[0] * inside
                labels[crop.window] = np.maximum(labels[crop.window], drawn)
        return labels

    @cached_property
    def _warped_dyes(self) -> tuple[WarpedSlide, ...]:
        """Each fragment's whole section as it lies; fragments of one section share its tiles."""
        slides = {section: TissueDyeSlide(section) for section in self._sections}
        return tuple(
            WarpedSlide(slides[item.section], item.drawing_transform, self.frame)
            for item in self.fragments
        )

    @cached_property
    def _warped_classes(self) -> tuple[WarpedSlide, ...]:
        slides = {section: TissueClassSlide(section) for section in self._sections}
        return tuple(
            WarpedSlide(
                slides[item.section], item.drawing_transform, self.frame, interpolation="nearest"
            )
            for item in self.fragments
        )

    @property
    def _sections(self) -> set[StainedSection]:
        return {fragment.section for fragment in self.fragments}


@dataclass(frozen=True, eq=False, repr=False)
class FragmentSlide(ScannedSlide):
    """Several pieces of tissue on a glass slide, seen by a scanner; a `Slide`.

    It is read like a `PhantomSlide`: any part, at any pixel size, as the same pixels.

    Raises `InputError` without a fragment, when the frame does not start at (0, 0), or for a JPEG
    quality that does not exist.
    """

    fragments: tuple[Fragment, ...]
    """The pieces on the slide, all with one stain."""
    frame: Frame
    """The full-resolution frame of the slide."""
    laboratory: Laboratory = REFERENCE
    """Who stained and scanned it."""
    artefacts: tuple[Artefact, ...] = ()
    """What else the scanner sees."""
    jpeg_quality: int | None = None
    """What the scanner stored full-resolution pixels with; None: without loss."""
    seed: int = 0
    """Seed of the sensor noise."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.fragments:
            raise InputError("a slide of fragments needs one", where=self.frame.label)

    @cached_property
    def mounted(self) -> MountedFragments:
        """The fragments as they lie on the glass."""
        return MountedFragments(self.fragments, self.frame)

    @property
    def dyed_with(self) -> Stain:
        """The stain of all fragments."""
        return self.fragments[0].section.stain

    @property
    def block_seed(self) -> int:
        """Seed of the block that the first fragment was cut from."""
        return self.fragments[0].section.tissue.seed

    def find_fragment(self, name: str) -> Fragment | None:
        """Return the fragment of a name, None where it is not on this slide."""
        return next((item for item in self.fragments if item.name == name), None)

    def locate_fragment(self, fragment: Fragment) -> PieceRegion:
        """Return where a fragment lies on the slide."""
        grid = self.frame.fit(REGION_PX)
        mask = np.zeros((grid.height, grid.width), bool)
        crop = crop_to_box(grid, fragment.box_um)
        assert crop is not None
        depth = fragment.depth_um(crop.frame.centres_um())
        mask[crop.window] = (depth > 0).reshape(crop.shape)
        return PieceRegion(mask, grid)
