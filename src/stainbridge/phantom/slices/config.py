"""What stack of slices to generate."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

from stainbridge.errors import InputError
from stainbridge.phantom.pairs.config import PairConfig
from stainbridge.phantom.pairs.difficulty import DIFFICULTIES, Difficulty, DifficultyRanges
from stainbridge.ranges import PixelSize, Within, check_ranges

#: Difficulties of pairs that slices may have.
SLICE_DIFFICULTIES = ("easy", "real", "hard")
#: Side of the default slices in µm: a section 1.6 mm across, whose glands span several pixels.
EXTENT_UM = 2048.0
#: Slices are aligned affinely already; this share of a pair's elastic displacement remains.
_RESIDUAL_SHARE = 0.6
#: This share of a pair's distance lies between the two sections of a slice.
_DISTANCE_SHARE = 0.25


@dataclass(frozen=True)
class SliceStackConfig:
    """What slices to generate: planes of one block of tissue, each in two stains.

    Raises `InputError` for values that make no slice.
    """

    size_px: Annotated[int, Within(64, 16384)] = 256
    """Side of the slices in pixels."""
    mpp: PixelSize = EXTENT_UM / 256
    """Pixel size in µm."""
    fixed_stain: str = "HE"
    """Stain of all fixed slices: one of `library.STAINS`, or "random" for random colours."""
    moving_stain: str = "PanCK"
    """Stain of all moving slices, likewise."""
    difficulty: Difficulty = "real"
    """How much the slices of a pair differ: "easy", "real" or "hard"."""
    organ: str = "gland"
    """One of `organs.ORGANS`, or "any" for one chosen by the seed."""
    spacing_um: Annotated[float, Within(0, 1e4, above=True)] = 30.0
    """Distance from slice to slice."""
    drift: Annotated[float, Within(0, 0.2)] = 0.03
    """Root mean square displacement of the anatomy through the stack, as a share of the side."""
    landmarks: Annotated[int, Within(0, 1_000_000)] = 24
    """Largest number of landmarks of a slice."""

    def __post_init__(self) -> None:
        check_ranges(self)
        PairConfig(
            size_px=self.size_px,
            mpp=self.mpp,
            fixed_stain=self.fixed_stain,
            moving_stain=self.moving_stain,
            difficulty=self.difficulty,
            organ=self.organ,
            landmarks=self.landmarks,
        )
        if self.difficulty not in SLICE_DIFFICULTIES:
            raise InputError(
                "no such difficulty of slices",
                expected=", ".join(SLICE_DIFFICULTIES),
                got=self.difficulty,
            )

    @property
    def side_um(self) -> float:
        """Side of the slices in µm."""
        return self.size_px * self.mpp

    @property
    def ranges(self) -> DifficultyRanges:
        """What the moving slices are drawn from: as of a pair, but roughly aligned already."""
        ranges = DIFFICULTIES[self.difficulty]
        return replace(
            ranges,
            rotation_deg=2.0,
            flip_probability=0.0,
            scale=0.01,
            shift=0.01,
            shear=0.01,
            elastic=_RESIDUAL_SHARE * ranges.elastic,
            distance_um=_DISTANCE_SHARE * ranges.distance_um,
        )
