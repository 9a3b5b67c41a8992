"""Measure a transform on a case: landmarks, patches, and the block of tissue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from stainbridge.errors import InputError
from stainbridge.evaluate.synthesis.patches import MeasureConfig, choose_patches
from stainbridge.evaluate.synthesis.pictures import average_scores, score_pictures
from stainbridge.evaluate.synthesis.scene import Scene
from stainbridge.geometry.frame import Frame
from stainbridge.geometry.landmarks import Landmarks
from stainbridge.geometry.transform import Transform
from stainbridge.geometry.warp import warp_array
from stainbridge.metrics.fields import score_jacobian
from stainbridge.metrics.landmarks import score_landmarks
from stainbridge.metrics.segmentations import dice, score_masks
from stainbridge.slides.case import OpenSlideFunction
from stainbridge.slides.overview import Overview, read_overview
from stainbridge.slides.slide import Slide
from stainbridge.slides.warped import WarpedSlide
from stainbridge.types import Pixels

#: Samples along the fixed slide's longer side at which folds are looked for.
FOLD_GRID_PX = 512
#: Longest side in pixels of the overviews that tissue is found on.
TISSUE_PX = 1024

Labels = npt.NDArray[np.integer]


@dataclass(frozen=True, eq=False)
class Ruler:
    """Measures transforms of one scene; what does not depend on them is read once.

    Tissue and patches are those of the real slides, so every translation and method is measured in
    the same places.
    """

    scene: Scene
    """The slides."""
    config: MeasureConfig
    """How patches and blocks are chosen."""

    def measure(self, transform: Transform) -> dict[str, Any]:
        """Return the scores of `moving_from_fixed` as fields of a `SynthesisRow`.

        Raises `InputError` for a transform that takes the slide or its landmarks to nowhere.
        """
        return {
            "folded": score_jacobian(transform, self._fixed.frame.fit(FOLD_GRID_PX)).folded,
            **self._measure_landmarks(transform),
            **self._measure_pictures(transform),
            **self._measure_regions(transform),
        }

    @property
    def _fixed(self) -> Slide:
        return self.scene.real[0]

    def _measure_landmarks(self, transform: Transform) -> dict[str, Any]:
        points_px = self.scene.case.landmarks
        if points_px is None or not len(points_px[0]):
            return {}
        labels = tuple(map(str, range(len(points_px[0]))))
        fixed, moving = (
            Landmarks(points, labels, slide.frame)
            for points, slide in zip(points_px, self.scene.real, strict=True)
        )
        scores = score_landmarks(transform, fixed, moving)
        rtre = scores.after.rtre
        if not np.isfinite(rtre.max):
            raise InputError("the transform takes landmarks to nowhere", where=self.scene.case.id)
        return {
            "landmarks": scores.n,
            "rtre_median": rtre.median,
            "rtre_mean": rtre.mean,
            "rtre_p90": rtre.p90,
        }

    def _measure_pictures(self, transform: Transform) -> dict[str, Any]:
        warped = WarpedSlide(self.scene.seen[1], transform)
        scores: dict[str, Any] = {"patches": len(self._patches)}
        scores |= _score_against(self._seen_pictures, self._read_all(warped), "")
        if self.scene.same_stain is not None:
            is_seen_real = self.scene.translated != "moving"
            real = warped if is_seen_real else WarpedSlide(self.scene.real[1], transform)
            scores |= _score_against(self._same_stain_pictures, self._read_all(real), "same_stain_")
        scores.pop("block_nmi", None)
        scores.pop("block_same_stain_nmi", None)
        return scores

    def _measure_regions(self, transform: Transform) -> dict[str, Any]:
        frame = self._tissue.frame
        region = self._moving_tissue.region.astype(np.uint8)[None]
        warped, _ = warp_array(
            region, self._moving_tissue.frame, transform, frame, interpolation="nearest"
        )
        tissue = warped[0] > 0
        scores: dict[str, Any] = {}
        if self._tissue.has_tissue:
            scores["tissue_dice"] = dice(self._tissue.region, tissue)
        if self._tissue.has_tissue and tissue.any():
            full = self._fixed.frame.mpp
            spacing = (frame.mpp[0] / full[0], frame.mpp[1] / full[1])
            distances = score_masks(self._tissue.region, tissue, spacing)
            scores["tissue_hausdorff_px"] = distances.hausdorff
        if self._labels is not None:
            fixed, moving, grid = self._labels
            moved, _ = warp_array(moving[None], grid, transform, frame, interpolation="nearest")
            scores["class_dice"] = average_class_dice(fixed, moved[0])
        return scores

    @cached_property
    def _tissue(self) -> Overview:
        return read_overview(self.scene.real[0], TISSUE_PX)

    @cached_property
    def _moving_tissue(self) -> Overview:
        return read_overview(self.scene.real[1], TISSUE_PX)

    @cached_property
    def _patches(self) -> list[Frame]:
        return choose_patches(
            self._fixed.frame, self._tissue.region, self._tissue.frame, self.config
        )

    @cached_property
    def _block(self) -> Frame:
        """The box around the fixed tissue; all of the slide where there is none."""
        whole = self._fixed.frame.fit(self.config.block_px)
        if not self._tissue.has_tissue:
            return whole
        rows, columns = np.nonzero(self._tissue.region)
        box_px = np.array([[columns.min(), rows.min()], [columns.max() + 1, rows.max() + 1]], float)
        (left, top), (right, bottom) = np.rint(whole.to_px(self._tissue.frame.to_um(box_px)))
        return whole.crop(int(left), int(top), int(right - left), int(bottom - top))

    @cached_property
    def _seen_pictures(self) -> list[Pixels]:
        return self._read_all(self.scene.seen[0])

    @cached_property
    def _same_stain_pictures(self) -> list[Pixels]:
        assert self.scene.same_stain is not None
        return self._read_all(self.scene.same_stain)

    @cached_property
    def _labels(self) -> tuple[Labels, Labels, Frame] | None:
        """Classes of the fixed slide on the frame of its tissue, and of the moving one on its own.

        None where they are not known.
        """
        case = self.scene.case
        if case.open_fixed_labels is None or case.open_moving_labels is None:
            return None
        fixed = _read_labels(case.open_fixed_labels, self._tissue.frame)
        grid = self._moving_tissue.frame
        return fixed, _read_labels(case.open_moving_labels, grid), grid

    def _read_all(self, slide: Slide) -> list[Pixels]:
        """Return the block and then the patches, as `slide` shows them, (C, H, W) each."""
        return [slide.read(frame).pixels for frame in (self._block, *self._patches)]


def average_class_dice(fixed: Labels, moving: Labels) -> float | None:
    """Return the mean Dice of the classes of the fixed picture, (H, W) both; 0 is no class.

    A class that the moving picture lacks counts 0. None where the fixed one has no class.
    """
    classes = np.unique(fixed[fixed != 0])
    if not len(classes):
        return None
    return float(np.mean([dice(fixed == value, moving == value) for value in classes]))


def _read_labels(open_labels: OpenSlideFunction, frame: Frame) -> Labels:
    """Return the classes at the pixel centres of `frame`, (H, W); they are never averaged."""
    with open_labels() as slide:
        own = slide.frame
        stored = slide.read(own).pixels[0].astype(np.int32)
    indices = np.floor(own.to_px(frame.centres_um())).astype(int)
    columns = indices[:, 0].clip(0, own.width - 1)
    rows = indices[:, 1].clip(0, own.height - 1)
    return np.asarray(stored[rows, columns].reshape(frame.height, frame.width))


def _score_against(
    targets: Sequence[Pixels], pictures: Sequence[Pixels], prefix: str
) -> dict[str, Any]:
    """Compare the block and the patches; each list begins with the block."""
    scores = [score_pictures(a, b) for a, b in zip(targets, pictures, strict=True)]
    named: dict[str, Any] = {}
    for part, mean in (
        ("block", average_scores(scores[:1])),
        ("patch", average_scores(scores[1:])),
    ):
        if mean is not None:
            named |= {f"{part}_{prefix}{name}": value for name, value in vars(mean).items()}
    return named
