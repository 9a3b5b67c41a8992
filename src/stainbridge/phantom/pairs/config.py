"""What pair to generate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from stainbridge.errors import InputError
from stainbridge.phantom.pairs.difficulty import DIFFICULTIES, Difficulty
from stainbridge.phantom.staining.contrast import RANDOM_STAIN
from stainbridge.phantom.staining.library import find_stain
from stainbridge.phantom.tissue.organs import find_organ
from stainbridge.ranges import PixelSize, Within, check_ranges

#: The organ name that stands for one of all, chosen by the seed.
ANY_ORGAN = "any"
#: Least side of a generated slide, in µm; a smaller one holds no glands.
LEAST_SIDE_UM = 400


def check_slide_size(size_px: int, mpp: float, name: str = "size_px") -> None:
    """Raise `InputError` for a generated slide that is too small for tissue.

    Args:
        size_px: Side of the slide in pixels.
        mpp: Pixel size in µm.
        name: The setting that holds the side.
    """
    if size_px * mpp < LEAST_SIDE_UM:
        raise InputError(
            "the slide is too small for tissue",
            expected=f"{name} x mpp >= {LEAST_SIDE_UM} µm",
            got=f"{size_px} x {mpp:g}",
        )


@dataclass(frozen=True)
class PairConfig:
    """What pair to generate. None stands for a value drawn within the difficulty's range.

    Raises `InputError` for values that make no slide.
    """

    seed: Annotated[int, Within(0, 2**63 - 1)] = 0
    """Seed of everything that is drawn."""
    size_px: Annotated[int, Within(64, 65536)] = 2048
    """Side of both slides in pixels; the section is about 0.8 times as large."""
    mpp: PixelSize = 2.0
    """Pixel size of both slides in µm."""
    fixed_stain: str = "HE"
    """Stain of the fixed slide: one of `library.STAINS`, or "random" for random colours."""
    moving_stain: str = "PanCK"
    """Stain of the moving slide, likewise."""
    difficulty: Difficulty = "real"
    """How the slides differ: "easy", "real", "hard", "faint" or "dense"."""
    organ: str = "gland"
    """One of `organs.ORGANS`, or "any" for one chosen by the seed."""
    rotation_deg: Annotated[float | None, Within(-360, 360)] = None
    """Rotation of the moving section in degrees."""
    flip: bool | None = None
    """Whether the moving section is mirrored."""
    scale: Annotated[float | None, Within(0.3, 3)] = None
    """Scale of the moving section, 0.3 to 3."""
    elastic_um: Annotated[float | None, Within(0, 1e4)] = None
    """Root mean square elastic displacement of the moving section in µm."""
    distance_um: Annotated[float | None, Within(0, 1e4)] = None
    """Distance between the sections in µm."""
    tear: bool | None = None
    """Whether the moving section is torn."""
    damage: bool | None = None
    """Whether there are folds, holes and other pieces on the glass."""
    artefacts: bool | None = None
    """Whether there are artefacts."""
    faint: bool | None = None
    """Whether immunostains are faint."""
    landmarks: Annotated[int, Within(0, 1_000_000)] = 80
    """Largest number of landmarks."""

    def __post_init__(self) -> None:
        check_ranges(self)
        if self.difficulty not in DIFFICULTIES:
            known = ", ".join(DIFFICULTIES)
            raise InputError("unknown difficulty", expected=known, got=self.difficulty)
        check_slide_size(self.size_px, self.mpp)
        if self.organ != ANY_ORGAN:
            find_organ(self.organ)
        for name in (self.fixed_stain, self.moving_stain):
            if name != RANDOM_STAIN:
                find_stain(name)
