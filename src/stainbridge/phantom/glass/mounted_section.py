"""A section mounted on glass: its dyes and classes, with tears, folds, holes and other pieces."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np

from stainbridge.geometry.frame import Frame
from stainbridge.geometry.transform import Transform
from stainbridge.geometry.warp import Interpolation
from stainbridge.phantom.glass.damage import ExtraPiece, Hole, compute_outside_share
from stainbridge.phantom.glass.mounted_tissue import MountedTissue
from stainbridge.phantom.glass.tissue_slide import TissueClassSlide, TissueDyeSlide, TissueSlide
from stainbridge.phantom.space.crop import BoxUm, FloatArray, FrameCrop, crop_to_box
from stainbridge.phantom.space.cut_line import CutLine
from stainbridge.phantom.space.deformation import (
    DeformationConfig,
    build_drawing_transform,
    unfold_points,
)
from stainbridge.phantom.space.pickling import PickledByFields
from stainbridge.phantom.staining.stain import DyeAmounts
from stainbridge.phantom.staining.stained_section import StainedSection
from stainbridge.phantom.tissue.classes import Labels
from stainbridge.slides.warped import WarpedSlide
from stainbridge.types import Points

#: The dye that the doubled-up layers of a fold add to one layer, as a factor.
_FOLD_DYE = 1.5


@dataclass(frozen=True, eq=False)
class MountedSection(PickledByFields, MountedTissue):
    """A section as it lies on its slide."""

    section: StainedSection
    """The section."""
    frame: Frame
    """The slide."""
    deformation: DeformationConfig
    """How the section lies."""
    holes: tuple[Hole, ...]
    """What is missing from it."""
    pieces: tuple[ExtraPiece, ...]
    """Other tissue beside it."""
    seed: int
    """Seed of the elastic deformation."""

    @cached_property
    def tissue_frame(self) -> Frame:
        """The area of the section in tissue space."""
        return self._dyes.frame

    def draw_dyes_once(self, frame: Frame) -> DyeAmounts:
        """Return dye amounts, (H, W, 3), on a frame of the slide; nothing is cached."""
        amounts = _read_dyes(self._warped_dyes, frame)
        for crop, doubled in self._list_folds(frame):
            added = _read_dyes(self._unfolded_dyes, crop.frame)
            amounts[crop.window] += _FOLD_DYE * doubled[..., None] * added
        for crop, remaining in self._list_gaps(frame):
            amounts[crop.window] *= remaining[..., None]
        for dyes, piece in zip(self._piece_dyes, self.pieces, strict=True):
            beside = crop_to_box(frame, piece.box_um)
            if beside is not None:
                amounts[beside.window] += _read_dyes(dyes, beside.frame)
        return amounts

    def draw_classes(self, frame: Frame) -> Labels:
        """Return class numbers, (H, W), on a frame of the slide."""
        labels = np.array(self._warped_classes.read(frame).pixels[0])
        for crop, remaining in self._list_gaps(frame):
            labels[crop.window][remaining < 0.5] = 0
        for classes, piece in zip(self._piece_classes, self.pieces, strict=True):
            beside = crop_to_box(frame, piece.box_um)
            if beside is not None:
                other = classes.read(beside.frame).pixels[0]
                labels[beside.window] = np.maximum(labels[beside.window], other)
        return labels

    def _list_gaps(self, frame: Frame) -> Iterator[tuple[FrameCrop, FloatArray]]:
        """Yield the parts of `frame` with tears and holes, and the share of tissue left, (h, w)."""
        gaps: list[tuple[BoxUm, Callable[[Points], FloatArray]]] = [
            (hole.box_um, hole.rim_distance_um) for hole in self.holes
        ]
        gaps += [
            (self._widen_by_folds(tear.box_um), partial(self._measure_tear, tear))
            for tear in self.deformation.tears
        ]
        for box, measure_distance in gaps:
            crop = crop_to_box(frame, box)
            if crop is not None:
                distance = measure_distance(crop.frame.centres_um())
                remaining = compute_outside_share(distance, frame.mpp[0])
                yield crop, remaining.reshape(crop.shape)

    def _measure_tear(self, tear: CutLine, points_um: Points) -> FloatArray:
        """Return signed distances, (N,), of slide points to a tear's gap."""
        return tear.gap_distance_um(unfold_points(self.deformation, points_um, self.frame))

    def _widen_by_folds(self, box: BoxUm) -> BoxUm:
        """Return a box of the unfolded section, with room for what folds move."""
        room = sum(fold.width_um for fold in self.deformation.folds)
        return box[0] - room, box[1] + room

    def _list_folds(self, frame: Frame) -> Iterator[tuple[FrameCrop, FloatArray]]:
        """Yield the parts of `frame` with folds, and how much of each pixel, (h, w), is doubled."""
        for fold in self.deformation.folds:
            crop = crop_to_box(frame, fold.box_um)
            if crop is not None:
                distance = fold.fold_distance_um(crop.frame.centres_um())
                outside = compute_outside_share(distance, frame.mpp[0])
                yield crop, 1 - outside.reshape(crop.shape)

    @cached_property
    def _dyes(self) -> TissueDyeSlide:
        """The dyes of the section in tissue space."""
        return TissueDyeSlide(self.section)

    @cached_property
    def _warped_dyes(self) -> WarpedSlide:
        return WarpedSlide(self._dyes, self._build_transform(self.deformation), self.frame)

    @cached_property
    def _unfolded_dyes(self) -> WarpedSlide:
        """The dyes of the section as it would lie without folds."""
        unfolded = replace(self.deformation, folds=())
        return WarpedSlide(self._dyes, self._build_transform(unfolded), self.frame)

    @cached_property
    def _warped_classes(self) -> WarpedSlide:
        classes = TissueClassSlide(self.section)
        transform = self._build_transform(self.deformation)
        return WarpedSlide(classes, transform, self.frame, interpolation="nearest")

    @cached_property
    def _piece_dyes(self) -> tuple[WarpedSlide, ...]:
        return tuple(
            self._mount_piece(TissueDyeSlide(piece.section), piece, "linear")
            for piece in self.pieces
        )

    @cached_property
    def _piece_classes(self) -> tuple[WarpedSlide, ...]:
        return tuple(
            self._mount_piece(TissueClassSlide(piece.section), piece, "nearest")
            for piece in self.pieces
        )

    def _mount_piece(
        self, tissue: TissueSlide, piece: ExtraPiece, interpolation: Interpolation
    ) -> WarpedSlide:
        transform = piece.build_tissue_from_slide(tissue.frame, self.frame)
        return WarpedSlide(tissue, transform, self.frame, interpolation=interpolation)

    def _build_transform(self, deformation: DeformationConfig) -> Transform:
        return build_drawing_transform(deformation, self.tissue_frame, self.frame, self.seed)


def _read_dyes(slide: WarpedSlide, frame: Frame) -> DyeAmounts:
    return np.array(np.moveaxis(slide.read(frame).pixels, 0, -1), np.float32)
