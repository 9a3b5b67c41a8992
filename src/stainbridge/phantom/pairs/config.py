"""What pair to generate."""

from __future__ import annotations

from dataclasses import dataclass

from stainbridge.errors import InputError
from stainbridge.phantom.pairs.difficulty import DIFFICULTIES, Difficulty
from stainbridge.phantom.staining.contrast import RANDOM_STAIN
from stainbridge.phantom.staining.library import find_stain
from stainbridge.phantom.tissue.organs import find_organ

#: The organ name that stands for one of all, chosen by the seed.
ANY_ORGAN = "any"


@dataclass(frozen=True)
class PairConfig:
    """What pair to generate. None stands for a value drawn within the difficulty's range.

    Raises `InputError` for values that make no slide.
    """

    seed: int = 0
    """Seed of everything that is drawn."""
    size_px: int = 2048
    """Side of both slides in pixels; the section is about 0.8 times as large."""
    mpp: float = 2.0
    """Pixel size of both slides in µm."""
    fixed_stain: str = "HE"
    """Stain of the fixed slide: one of `library.STAINS`, or "random" for random colours."""
    moving_stain: str = "PanCK"
    """Stain of the moving slide, likewise."""
    difficulty: Difficulty = "real"
    """How much the slides differ: "easy", "real" or "hard"."""
    organ: str = "gland"
    """One of `organs.ORGANS`, or "any" for one chosen by the seed."""
    rotation_deg: float | None = None
    """Rotation of the moving section in degrees."""
    flip: bool | None = None
    """Whether the moving section is mirrored."""
    scale: float | None = None
    """Scale of the moving section, 0.3 to 3."""
    elastic_um: float | None = None
    """Root mean square elastic displacement of the moving section in µm."""
    distance_um: float | None = None
    """Distance between the sections in µm."""
    tear: bool | None = None
    """Whether the moving section is torn."""
    damage: bool | None = None
    """Whether there are folds, holes and other pieces on the glass."""
    artefacts: bool | None = None
    """Whether there are artefacts."""
    faint: bool | None = None
    """Whether immunostains are faint."""
    landmarks: int = 80
    """Largest number of landmarks."""

    def __post_init__(self) -> None:
        if self.difficulty not in DIFFICULTIES:
            known = ", ".join(DIFFICULTIES)
            raise InputError("unknown difficulty", expected=known, got=self.difficulty)
        if self.size_px < 64:
            raise InputError("size_px is too small", expected="at least 64", got=self.size_px)
        if not self.mpp > 0 or self.size_px * self.mpp < 400:
            raise InputError(
                "the slide is too small for tissue",
                expected="size_px x mpp >= 400 µm",
                got=self.mpp,
            )
        if self.scale is not None and not 0.3 <= self.scale <= 3:
            raise InputError("scale out of range", expected="0.3 to 3", got=self.scale)
        if self.elastic_um is not None and self.elastic_um < 0:
            raise InputError("elastic_um must not be negative", got=self.elastic_um)
        if self.landmarks < 0:
            raise InputError("landmarks must not be negative", got=self.landmarks)
        if self.organ != ANY_ORGAN:
            find_organ(self.organ)
        for name in (self.fixed_stain, self.moving_stain):
            if name != RANDOM_STAIN:
                find_stain(name)
