"""What a paired data set depends on beside its slides."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Annotated, Literal, TypeAlias

from stainbridge.errors import InputError
from stainbridge.pairing.patch import PatchScores
from stainbridge.ranges import PixelSize, Seed, Share, Within, check_ranges

Engine: TypeAlias = Literal["stainbridge", "elastix"]
Blend: TypeAlias = Literal["linear", "none"]
RegisterPreset: TypeAlias = Literal["fast", "default", "accurate"]


@dataclass(frozen=True)
class Thresholds:
    """What a patch must meet to be kept. Raises `InputError` for shares outside 0 … 1."""

    min_tissue: Share = 0.5
    """Least share of tissue, in each of the two pictures."""
    max_residual_px: Annotated[float, Within(0, 1e4, above=True)] = 4.0
    """Largest estimated misalignment, in pixels of the patch. Where nothing tells, none is kept."""
    max_blur_px: Annotated[float, Within(0, 1e4, above=True)] = 4.0
    """Largest radius of blur, in pixels of the patch."""
    max_pen: Share = 0.02
    """Largest share of pen ink."""
    max_fold: Share = 0.1
    """Largest share of folded tissue."""

    def __post_init__(self) -> None:
        check_ranges(self)

    def find_unmet(self, scores: PatchScores) -> str:
        """Return the first threshold that is not met, in the order they are asked, or ""."""
        return next((name for name in THRESHOLD_ORDER if not self.is_met(name, scores)), "")

    def is_met(self, name: str, scores: PatchScores) -> bool:
        """Return whether a patch meets the threshold `name`; a measure of nan never does."""
        measure = read_measure(name, scores)
        limit: float = getattr(self, name)
        return measure >= limit if name.startswith("min_") else measure <= limit


def read_measure(name: str, scores: PatchScores) -> float:
    """Return what the threshold `name` is compared with.

    That is the worse of both pictures. A blur that nothing tells is none.
    """
    measures = {
        "min_tissue": min(scores.tissue_fixed, scores.tissue_moving),
        "max_pen": scores.pen,
        "max_fold": scores.fold,
        "max_blur_px": max(_without_nan(scores.blur_fixed), _without_nan(scores.blur_moving)),
        "max_residual_px": scores.residual_px,
    }
    return measures[name]


#: The order in which thresholds are asked: what explains a bad residual comes before it.
THRESHOLD_ORDER = ("min_tissue", "max_pen", "max_fold", "max_blur_px", "max_residual_px")


@dataclass(frozen=True)
class PairingConfig:
    """Settings of a paired data set. Raises `InputError` for what cannot be cut."""

    patch_px: Annotated[int, Within(64, 16384)] = 1024
    """Side of a patch in pixels (BCI: 1024)."""
    stride_px: Annotated[int | None, Within(1, 1_000_000)] = None
    """Pixels from one patch to the next; None: `patch_px`, so that patches do not overlap."""
    mpp: PixelSize | None = None
    """Pixel size of patches in µm; None: the fixed slide's own."""
    engine: Engine = "stainbridge"
    """What aligns the slides block by block."""
    blend: Blend = "linear"
    """How blocks' fields give way to each other; "none" cuts hard and paints over gaps, as BCI."""
    blocks: Annotated[int, Within(1, 10000)] = 16
    """Blocks that elastix registers one by one (BCI: 16)."""
    preset: RegisterPreset = "default"
    """How much work the alignment of the whole slides is."""
    thresholds: Thresholds = field(default_factory=Thresholds)
    """What a patch must meet to be kept."""
    seed: Seed = 0
    """Seed of every random choice."""

    def __post_init__(self) -> None:
        check_ranges(self)
        if self.blend == "none" and self.engine != "elastix":
            raise InputError("blend none needs the engine elastix", got=self.engine)

    @property
    def step_px(self) -> int:
        """Pixels from one patch to the next."""
        return self.patch_px if self.stride_px is None else self.stride_px


def _without_nan(value: float) -> float:
    """Return a measure, or 0 where nothing tells it."""
    return 0.0 if math.isnan(value) else value
