"""What slides of several pieces to generate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, get_args

from stainbridge.errors import InputError
from stainbridge.phantom.pairs.config import ANY_ORGAN
from stainbridge.phantom.staining.contrast import RANDOM_STAIN
from stainbridge.phantom.staining.library import find_stain
from stainbridge.phantom.tissue.organs import find_organ
from stainbridge.ranges import PixelSize, Share, Within, check_ranges

Arrangement = Literal["fragments", "cores"]
ARRANGEMENTS: tuple[Arrangement, ...] = get_args(Arrangement)
#: Least and largest number of pieces.
PIECES = (2, 12)


@dataclass(frozen=True)
class FragmentsConfig:
    """What slides of pieces to generate. None stands for a value that the seed draws.

    Raises `InputError` for values that make no slide.
    """

    seed: Annotated[int, Within(0, 2**63 - 1)] = 0
    """Seed of everything that is drawn."""
    arrangement: Arrangement = "fragments"
    """"fragments" of one section anywhere, or "cores" of an array in rows."""
    pieces: Annotated[int | None, Within(*PIECES)] = None
    """How many pieces the section is cut into, 2 to 12."""
    size_px: Annotated[int, Within(64, 65536)] = 2048
    """Side of both slides in pixels."""
    mpp: PixelSize = 2.0
    """Pixel size of both slides in µm."""
    fixed_stain: str = "HE"
    """Stain of the fixed slide: one of `library.STAINS`, or "random"."""
    moving_stain: str = "PanCK"
    """Stain of the moving slide."""
    organ: str = "gland"
    """One of `organs.ORGANS`, or "any" for one chosen by the seed."""
    rotation_deg: Annotated[float, Within(0, 180)] = 180.0
    """Largest turn of a fragment on the moving slide, in degrees, either way."""
    flip_probability: Share = 0.1
    """Probability that a fragment is mirrored."""
    swapped: bool | None = None
    """Whether fragments lie in another order on the moving slide."""
    missing: Annotated[int | None, Within(0, 12)] = None
    """How many pieces are missing, each on one slide."""
    control: bool | None = None
    """Whether there is control tissue on one slide."""
    distance_um: Annotated[float, Within(0, 1e4)] = 6.0
    """Distance between the two sections in µm."""
    landmarks: Annotated[int, Within(0, 1_000_000)] = 12
    """Largest number of landmarks a piece."""

    def __post_init__(self) -> None:
        check_ranges(self)
        if self.arrangement not in ARRANGEMENTS:
            raise InputError(
                "unknown arrangement", expected=", ".join(ARRANGEMENTS), got=self.arrangement
            )
        if self.size_px * self.mpp < 1000:
            raise InputError(
                "the slide is too small for pieces",
                expected="size_px x mpp >= 1000 µm",
                got=self.size_px * self.mpp,
            )
        if self.organ != ANY_ORGAN:
            find_organ(self.organ)
        for name in (self.fixed_stain, self.moving_stain):
            if name != RANDOM_STAIN:
                find_stain(name)
