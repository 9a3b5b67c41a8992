"""What a registration is asked to do: one frozen dataclass per stage, three presets, YAML both
ways.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stainbridge.errors import InputError
from stainbridge.settings import build, to_dict, read_yaml, to_yaml


@dataclass(frozen=True)
class SearchConfig:
    """The global search: chart size in pixels; how many angles over 360° and scales over 0.5 to 2.

    The correlation's best `candidates` are ranked by local NCC and the best `hypotheses` of them
    climbed from. `features_px`: longest side of the pictures that point features are matched on for
    one more candidate.
    """

    chart_px: int = 48
    angles: int = 48
    scales: int = 11
    candidates: int = 250
    hypotheses: int = 8
    features_px: int = 512


@dataclass(frozen=True)
class AffineConfig:
    """Affine refinement: longest side, steps and survivors of each round, coarse to fine.

    After the first round the best `varied` are also stretched, turned and scaled by `variation`.
    """

    sizes_px: tuple[int, ...] = (64, 128, 256, 256)
    steps: tuple[int, ...] = (40, 30, 15, 60)
    keep: tuple[int, ...] = (6, 6, 2, 1)
    varied: int = 3
    variation: float = 0.08
    radius: int = 12
    window_step: int = 4


@dataclass(frozen=True)
class MatchingConfig:
    """Where a section that is bent far may have gone: windows matched at a longest side of
    `size_px`.

    Windows of (2·`radius` + 1)² pixels are sought up to `distance_px` away, matches smoothed over
    about `smooth_px`, and what they say climbs for so many `steps`.
    """

    size_px: int = 96
    distance_px: int = 9
    radius: int = 3
    smooth_px: int = 6
    steps: int = 40

    def __post_init__(self) -> None:
        if min(self.size_px, self.distance_px, self.radius, self.smooth_px) < 1 or self.steps < 0:
            raise InputError("matching: all but the steps must be positive", got=self)


@dataclass(frozen=True)
class DeformableConfig:
    """Diffeomorphic instance optimisation, coarse to fine.

    `sizes_px` is the longest side at each level, `spacing_px` that between nodes of the velocity
    field at that level, `radius` of the local NCC's windows, which stand every `window_step`
    pixels, `smoothness` the weight of the diffusion regulariser, `rate_px` the first steps' length.
    `matching` offers another beginning, None for none. `symmetric` registers both ways and takes
    the mean of the one and the inverse of the other.
    """

    sizes_px: tuple[int, ...] = (128, 256, 512)
    steps: tuple[int, ...] = (50, 50, 40)
    spacing_px: float = 4.0
    radius: int = 14
    window_step: int = 4
    smoothness: float = 1.0
    rate_px: float = 0.6
    symmetric: bool = True
    matching: MatchingConfig | None = field(default_factory=MatchingConfig)

    def __post_init__(self) -> None:
        if len(self.sizes_px) != len(self.steps):
            raise InputError(
                "deformable: one number of steps per size",
                expected=len(self.sizes_px),
                got=len(self.steps),
            )


@dataclass(frozen=True)
class TilesConfig:
    """High-resolution refinement: the slide, `longest_px` on its longer side, in tiles read from
    both slides.

    Tiles of `tile_px` are blended over `blend_px`; each is optimised at a quarter, half and all of
    the resolution, in so many `steps`. The rest is as in `DeformableConfig`.
    """

    longest_px: int = 4096
    tile_px: int = 768
    blend_px: int = 64
    steps: tuple[int, int, int] = (25, 20, 10)
    spacing_px: int = 8
    radius: int = 20
    window_step: int = 6
    smoothness: float = 1.0

    def __post_init__(self) -> None:
        if self.longest_px < self.tile_px:
            raise InputError(
                "tiles: longest_px is less than one tile",
                expected=self.tile_px,
                got=self.longest_px,
            )


@dataclass(frozen=True)
class LearnedAffineConfig:
    """The trained affine network, between the search and the affine refinement.

    `weights`: a file, a run folder, or a name (`learn.shipped`). Every start goes through the
    network `passes` times, all at once; the best `keep` of what comes out go through it once more
    at twice the resolution, and the best of these `finer` − 1 times again. They are refined, or,
    where `refine` is False, the best one stands. With `angles` the network's starts are so many
    turns about the tissues' middles, each way up, in place of a search.
    """

    weights: str = "affine-net"
    passes: int = 1
    finer: int = 2
    keep: int = 3
    refine: bool = True
    angles: int = 0

    def __post_init__(self) -> None:
        if min(self.passes, self.keep) < 1 or min(self.finer, self.angles) < 0:
            raise InputError(
                "learned_affine: passes and keep must be positive, the others not negative",
                got=self,
            )


@dataclass(frozen=True)
class LearnedFieldConfig:
    """A trained deformable network after the affine stage.

    `weights`: as for the affine network. `mpp`: the resolution it works at, tile by tile, where not
    its own. `optimise`: instance optimisation from what it found, None for none. `deformable`
    stands in where it is rejected.
    """

    weights: str = "unet-svf"
    mpp: float | None = None
    optimise: DeformableConfig | None = field(
        default_factory=lambda: DeformableConfig((256, 512), (20, 20), matching=None)
    )

    def __post_init__(self) -> None:
        if self.mpp is not None and self.mpp <= 0:
            raise InputError("learned_field: mpp must be positive", got=self.mpp)


@dataclass(frozen=True)
class RegisterConfig:
    """Everything a registration depends on beside the two slides.

    `max_rotation_deg` limits the search to ± that angle. Where the verdict on what it led to is not
    "ok", everything after it is done once more from `search_again`, None for never, and the more
    trusted of the two results stands. `deformable` None stops after the affine stage. The learned
    stages are left out where they are None.
    """

    name: str = "default"
    allow_flip: bool = True
    max_rotation_deg: float = 180.0
    seed: int = 0
    device: str = "auto"
    threads: int | None = None
    working_px: int = 1024
    search: SearchConfig = field(default_factory=SearchConfig)
    search_again: SearchConfig | None = field(
        default_factory=lambda: SearchConfig(chart_px=64, angles=72, scales=15, hypotheses=12)
    )
    affine: AffineConfig = field(default_factory=AffineConfig)
    deformable: DeformableConfig | None = field(default_factory=DeformableConfig)
    tiles: TilesConfig | None = None
    learned_affine: LearnedAffineConfig | None = None
    learned_field: LearnedFieldConfig | None = None

    def __post_init__(self) -> None:
        if len(self.affine.sizes_px) != len(self.affine.steps):
            raise InputError(
                "affine: one number of steps per size",
                expected=len(self.affine.sizes_px),
                got=len(self.affine.steps),
            )
        if len(self.affine.keep) != len(self.affine.sizes_px):
            raise InputError(
                "affine: one number of survivors per size", expected=len(self.affine.sizes_px)
            )
        if not 0 <= self.max_rotation_deg <= 180:
            raise InputError(
                "max_rotation_deg out of range", expected="0 to 180", got=self.max_rotation_deg
            )
        if self.device not in ("auto", "cpu", "cuda"):
            raise InputError("no such device", expected="auto, cpu or cuda", got=self.device)
        if self.working_px < 64:
            raise InputError("working_px is too small", expected="at least 64", got=self.working_px)
        if self.threads is not None and self.threads < 1:
            raise InputError("threads must be positive", got=self.threads)

    @classmethod
    def preset(cls, name: str) -> RegisterConfig:
        """ "fast", "default" or "accurate"; raises `InputError` for another name."""
        if name not in PRESETS:
            raise InputError("no such preset", expected=", ".join(PRESETS), got=name)
        return PRESETS[name]

    def to_dict(self) -> dict[str, Any]:
        """Plain dicts, lists, numbers and strings."""
        return to_dict(self)

    def to_yaml(self) -> str:
        """The configuration as YAML; `from_yaml` reads it back."""
        return to_yaml(self)

    @classmethod
    def from_yaml(cls, path: Path) -> RegisterConfig:
        """A YAML file of some or all fields; raises `InputError` for unknown keys and values of the
        wrong type.
        """
        return build(cls, read_yaml(path), path)


PRESETS: dict[str, RegisterConfig] = {
    "fast": RegisterConfig(
        name="fast",
        working_px=512,
        search=SearchConfig(angles=36, scales=9, hypotheses=6),
        affine=AffineConfig(steps=(30, 25, 10, 20), keep=(4, 4, 1, 1), varied=3),
        deformable=DeformableConfig(
            sizes_px=(128, 256), steps=(25, 25), symmetric=False, matching=MatchingConfig(steps=20)
        ),
    ),
    "default": RegisterConfig(),
    "accurate": RegisterConfig(
        name="accurate",
        working_px=1280,
        search=SearchConfig(angles=60, scales=13, hypotheses=12),
        affine=AffineConfig(
            sizes_px=(64, 128, 256, 256, 512),
            steps=(40, 40, 15, 40, 30),
            keep=(8, 8, 3, 1, 1),
            varied=4,
        ),
        deformable=DeformableConfig(sizes_px=(128, 256, 512, 1024), steps=(60, 60, 60, 40)),
    ),
}
