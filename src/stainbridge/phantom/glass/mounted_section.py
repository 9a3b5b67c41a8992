"""A section laid on glass: its dyes and its classes as they come to lie, with gaps, folds, holes
and other pieces.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache, partial

import numpy as np

from stainbridge.geometry.frame import Frame
from stainbridge.geometry.transform import Transform
from stainbridge.geometry.warp import Interpolation
from stainbridge.imaging.image import Image
from stainbridge.phantom.glass.damage import Hole, ExtraPiece, compute_outside_share
from stainbridge.phantom.glass.tissue_slide import TissueSlide, TissueDyeSlide, TissueClassSlide
from stainbridge.phantom.glass.generated import GeneratedSlide, build_levels
from stainbridge.phantom.space.deformation import DeformationConfig, build_drawing_transform, unfold_points
from stainbridge.phantom.space.crop import BoxUm, FloatArray, FrameCrop, crop_to_box
from stainbridge.phantom.space.cut_line import CutLine
from stainbridge.phantom.space.raster_tiles import DrawTile, assemble_tiles, locate_tile, is_on_grid
from stainbridge.phantom.staining.dyeing import DyeAmounts
from stainbridge.phantom.staining.stained_section import StainedSection
from stainbridge.phantom.tissue.classes import CLASS_NAMES, Labels
from stainbridge.slides.slide import Channel, SlideInfo
from stainbridge.slides.warped import WarpedSlide
from stainbridge.types import Points

#: How much more dye the doubled-up layers of a fold hold than one layer.
_FOLDED = 1.5
_BLOCKS_KEPT = 32  # 3 MB each: three rows of a stripe of tiles


@dataclass(frozen=True, eq=False)
class MountedSection:
    """`section` as `deformation` lays it on the slide of `frame`, without its `holes`, beside
    `pieces`.
    """

    section: StainedSection
    frame: Frame
    deformation: DeformationConfig
    holes: tuple[Hole, ...]
    pieces: tuple[ExtraPiece, ...]
    seed: int

    @cached_property
    def dyes(self) -> TissueDyeSlide:
        """The section's dyes in tissue space."""
        return TissueDyeSlide(self.section)

    def amounts(self, frame: Frame) -> DyeAmounts:
        """Dye amounts (H, W, 3) on a frame of the slide.

        On the slide's pixel grid they come from blocks, some of which are kept: reads of
        neighbouring tiles overlap.
        """
        if not is_on_grid(frame):
            return self._drawn(frame)
        return assemble_tiles(frame, self._block, 3, np.float32)

    @cached_property
    def _block(self) -> DrawTile:
        return lru_cache(_BLOCKS_KEPT)(self._placed)

    def _placed(self, mpp: tuple[float, float], column: int, row: int) -> DyeAmounts:
        return self._drawn(locate_tile(self.frame.space, mpp, column, row))

    def _drawn(self, frame: Frame) -> DyeAmounts:
        amounts = _read(self._laid, frame)
        for part, cover in self._bands(frame):
            amounts[part.window] += _FOLDED * cover[..., None] * _read(self._smooth, part.frame)
        for part, share in self._gaps(frame):
            amounts[part.window] *= share[..., None]
        for laid, piece in zip(self._others, self.pieces, strict=True):
            beside = crop_to_box(frame, piece.box_um)
            if beside is not None:
                amounts[beside.window] += _read(laid, beside.frame)
        return amounts

    def labels(self, frame: Frame) -> Labels:
        """Class numbers (H, W) on a frame of the slide."""
        labels = np.array(self._labels.read(frame).pixels[0])
        for part, share in self._gaps(frame):
            labels[part.window][share < 0.5] = 0
        for laid, piece in zip(self._other_labels, self.pieces, strict=True):
            beside = crop_to_box(frame, piece.box_um)
            if beside is not None:
                labels[beside.window] = np.maximum(
                    labels[beside.window], laid.read(beside.frame).pixels[0]
                )
        return labels

    def _gaps(self, frame: Frame) -> Iterator[tuple[FrameCrop, FloatArray]]:
        """The share of tissue left, (h, w), in the parts of `frame` with tears and holes."""
        gaps: list[tuple[BoxUm, Callable[[Points], FloatArray]]] = [
            (hole.box_um, hole.rim_distance_um) for hole in self.holes
        ]
        gaps += [
            (self._folded(tear.box_um), partial(self._torn, tear))
            for tear in self.deformation.tears
        ]
        for box, distance in gaps:
            part = crop_to_box(frame, box)
            if part is not None:
                yield (
                    part,
                    compute_outside_share(distance(part.frame.centres_um()), frame.mpp[0]).reshape(part.shape),
                )

    def _torn(self, tear: CutLine, points_um: Points) -> FloatArray:
        return tear.gap_distance_um(unfold_points(self.deformation, points_um, self.frame))

    def _folded(self, box: BoxUm) -> BoxUm:
        """A box of the unfolded section, with room for what folds move."""
        room = sum(fold.width_um for fold in self.deformation.folds)
        return box[0] - room, box[1] + room

    def _bands(self, frame: Frame) -> Iterator[tuple[FrameCrop, FloatArray]]:
        """How much of each pixel, (h, w), is doubled up, in the parts of `frame` with folds."""
        for fold in self.deformation.folds:
            part = crop_to_box(frame, fold.box_um)
            if part is not None:
                outside = compute_outside_share(fold.fold_distance_um(part.frame.centres_um()), frame.mpp[0])
                yield part, 1 - outside.reshape(part.shape)

    @cached_property
    def _laid(self) -> WarpedSlide:
        return WarpedSlide(self.dyes, self._pull(self.deformation), self.frame)

    @cached_property
    def _smooth(self) -> WarpedSlide:
        """The section as it would lie without folds."""
        return WarpedSlide(self.dyes, self._pull(replace(self.deformation, folds=())), self.frame)

    @cached_property
    def _labels(self) -> WarpedSlide:
        tissue = TissueClassSlide(self.section)
        return WarpedSlide(
            tissue, self._pull(self.deformation), self.frame, interpolation="nearest"
        )

    @cached_property
    def _others(self) -> tuple[WarpedSlide, ...]:
        return tuple(self._beside(TissueDyeSlide(piece.section), piece) for piece in self.pieces)

    @cached_property
    def _other_labels(self) -> tuple[WarpedSlide, ...]:
        return tuple(
            self._beside(TissueClassSlide(piece.section), piece, "nearest") for piece in self.pieces
        )

    def _beside(
        self, tissue: TissueSlide, piece: ExtraPiece, interpolation: Interpolation = "linear"
    ) -> WarpedSlide:
        return WarpedSlide(
            tissue, piece.pull(tissue.frame, self.frame), self.frame, interpolation=interpolation
        )

    def _pull(self, deformation: DeformationConfig) -> Transform:
        return build_drawing_transform(deformation, self.dyes.frame, self.frame, self.seed)


def _read(slide: WarpedSlide, frame: Frame) -> DyeAmounts:
    return np.array(np.moveaxis(slide.read(frame).pixels, 0, -1), np.float32)


@dataclass(frozen=True, eq=False)
class ClassSlide(GeneratedSlide):
    """The tissue classes of a section on glass: one uint8 channel, numbered as in
    `classes.CLASS_NAMES`.
    """

    glass: MountedSection

    @property
    def info(self) -> SlideInfo:
        """One channel; its values are named in `classes.CLASS_NAMES`."""
        return SlideInfo(
            f"{', '.join(CLASS_NAMES)}", "phantom", "generated", None, np.uint8, (Channel("class"),)
        )

    @property
    def frame(self) -> Frame:
        """The slide's."""
        return self.glass.frame

    @property
    def levels(self) -> tuple[Frame, ...]:
        """The slide's."""
        return build_levels(self.glass.frame)

    @property
    def stain(self) -> None:
        """Labels have none."""

    def read(self, frame: Frame) -> Image:
        """Class numbers, (1, H, W) uint8; 0 outside the slide."""
        return Image(
            self.glass.labels(frame)[None], frame, np.ones((frame.height, frame.width), bool)
        )
