"""What a registration is asked to do: its stages, its limits, three presets, YAML both ways."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, cast, get_args

from stainbridge.errors import InputError
from stainbridge.ranges import Seed, Within, check_ranges
from stainbridge.registration.stages.affine import AffineConfig, PlacementModel
from stainbridge.registration.stages.deformable import DeformableConfig
from stainbridge.registration.stages.learned_affine import LearnedAffineConfig
from stainbridge.registration.stages.learned_field import LearnedFieldConfig
from stainbridge.registration.stages.matching import MatchingConfig
from stainbridge.registration.stages.search import SearchConfig
from stainbridge.registration.stages.stage import PHASES, Stage
from stainbridge.registration.stages.table import STAGES, AnyStageConfig
from stainbridge.registration.stages.tiles import TileRefinementConfig
from stainbridge.settings import build, read_yaml, to_dict, to_yaml

__all__ = [
    "PRESETS",
    "AffineConfig",
    "AnyStageConfig",
    "DeformableConfig",
    "LearnedAffineConfig",
    "LearnedFieldConfig",
    "MatchingConfig",
    "RegisterConfig",
    "SearchConfig",
    "TileRefinementConfig",
]

StageConfig = TypeVar("StageConfig")
PresetName = Literal["fast", "default", "accurate"]
TransformName = Literal["rigid", "affine", "deformable"]

#: Least working resolution, in pixels.
MIN_WORKING_PX = 64
#: Keys that pipeline files of version 0.1 had in place of `stages`.
FORMER_KEYS = frozenset(
    {
        "affine",
        "deformable",
        "learned_affine",
        "learned_field",
        "search",
        "search_again",
        "tiles",
    }
)


@dataclass(frozen=True)
class RegisterConfig:
    """Everything that a registration depends on beside the two slides.

    Raises `InputError` for values out of range and for stages in an order that cannot work.

    Example:
        >>> config = stainbridge.RegisterConfig.preset("fast")
        >>> config = config.with_options(allow_flip=False, seed=1)
        >>> config = config.with_stage(stainbridge.TileRefinementConfig(longest_px=8192))
        >>> [stage.kind for stage in config.stages]
        ['search', 'affine', 'deformable', 'tiles']

    """

    name: str = "default"
    """A name for records."""
    allow_flip: bool = True
    """Whether the sections may be mirrored."""
    max_rotation_deg: Annotated[float, Within(0, 180)] = 180.0
    """Largest rotation to search, in degrees."""
    seed: Seed = 0
    """Seed of every random choice."""
    device: str = "auto"
    """Where to compute: auto, cpu or cuda."""
    threads: Annotated[int | None, Within(1, 1024)] = None
    """CPU threads; None: all that torch would use."""
    working_px: Annotated[int, Within(MIN_WORKING_PX, 16384)] = 1024
    """Longest side, in pixels, of the frames around the tissue that the stages work on."""
    pieces: bool = True
    """Whether pieces of tissue are registered one by one where the whole slide does not hold."""
    local_contrast: bool = True
    """Whether all is done again by the slides' local contrast where the error may be large.

    It shows tissue that is faint beside a dark marker, or nearly black. The result stands where it
    is `ok`.
    """
    stages: tuple[AnyStageConfig, ...] = (SearchConfig(), AffineConfig(), DeformableConfig())
    """The stages in their order; see `stages.table`."""
    second_search: SearchConfig | None = field(
        default_factory=lambda: SearchConfig(chart_px=64, angles=72, scales=15, hypotheses=12)
    )
    """A finer search, from which all is done again where the verdict is not `ok`; None: never.

    The more trusted of the two results stands.
    """

    def __post_init__(self) -> None:
        check_ranges(self)
        if self.device not in ("auto", "cpu", "cuda"):
            raise InputError("no such device", expected="auto, cpu or cuda", got=self.device)
        _check_order(self.stages)

    @classmethod
    def preset(cls, name: str) -> RegisterConfig:
        """Return "fast", "default" or "accurate"; raises `InputError` for another name.

        Example:
            >>> stainbridge.RegisterConfig.preset("accurate").working_px
            1280

        """
        if name not in PRESETS:
            raise InputError("no such preset", expected=", ".join(PRESETS), got=name)
        return PRESETS[name]

    def find_stage(self, kind: type[StageConfig]) -> StageConfig | None:
        """Return the settings of the first stage of a kind, None where there is none.

        Example:
            >>> stainbridge.RegisterConfig().find_stage(stainbridge.AffineConfig).radius
            12

        """
        for stage in self.stages:
            if isinstance(stage, kind):
                return stage
        return None

    def with_stage(self, stage: AnyStageConfig) -> RegisterConfig:
        """Return the configuration with a stage.

        It takes the place of the stages of its kind, or the usual place in the order. Raises
        `InputError` for what is no stage's settings.

        Example:
            >>> smoother = stainbridge.DeformableConfig(smoothness=3.0)
            >>> config = stainbridge.RegisterConfig().with_stage(smoother)
            >>> config.find_stage(stainbridge.DeformableConfig).smoothness
            3.0

        """
        if getattr(stage, "kind", None) not in STAGES:
            raise InputError("no such stage", expected=", ".join(STAGES), got=stage)
        others = [other for other in self.stages if other.kind != stage.kind]
        rank = STAGES.rank(stage.kind)
        before = [other for other in others if STAGES.rank(other.kind) < rank]
        after = [other for other in others if STAGES.rank(other.kind) >= rank]
        return replace(self, stages=(*before, stage, *after))

    def without_stage(self, kind: type[Any]) -> RegisterConfig:
        """Return the configuration without the stages of a kind.

        Example:
            >>> config = stainbridge.RegisterConfig().without_stage(stainbridge.DeformableConfig)
            >>> [stage.kind for stage in config.stages]
            ['search', 'affine']

        """
        kept = tuple(stage for stage in self.stages if not isinstance(stage, kind))
        return replace(self, stages=kept)

    @property
    def is_rigid(self) -> bool:
        """Whether the transform may turn, mirror and shift only."""
        affine = self.find_stage(AffineConfig)
        return affine is not None and affine.model == "rigid"

    def with_transform(self, name: str) -> RegisterConfig:
        """Return the configuration that finds a "rigid", "affine" or "deformable" transform.

        A rigid one turns, mirrors and shifts, at the known ratio of the pixel sizes. A rigid or
        affine one is one map for the whole slide. Raises `InputError` for another name.

        Example:
            >>> config = stainbridge.RegisterConfig.preset("fast").with_transform("rigid")
            >>> [stage.kind for stage in config.stages]
            ['search', 'affine']

        """
        if name not in get_args(TransformName):
            expected = ", ".join(get_args(TransformName))
            raise InputError("no such transform", expected=expected, got=name)
        affine = self.find_stage(AffineConfig) or AffineConfig()
        if name == "deformable":
            config = self.with_stage(replace(affine, model="affine"))
            has_field = any(_find_entry(stage).phase == "deformation" for stage in self.stages)
            return config if has_field else config.with_stage(DeformableConfig())
        config = self.with_stage(replace(affine, model=cast(PlacementModel, name)))
        kept = [stage for stage in config.stages if _find_entry(stage).phase == "placement"]
        if name == "rigid":
            kept = [stage for stage in kept if not isinstance(stage, LearnedAffineConfig)]
        return replace(config, stages=tuple(kept), pieces=False)

    def with_options(self, **options: Any) -> RegisterConfig:
        """Return the configuration with some fields replaced.

        Raises `InputError` for a field that it does not have.

        Example:
            >>> stainbridge.RegisterConfig().with_options(max_rotation_deg=30.0).max_rotation_deg
            30.0

        """
        known = [item.name for item in fields(self)]
        for name in options:
            if name not in known:
                raise InputError("no such option", where=name, expected=", ".join(known))
        return replace(self, **options)

    def to_dict(self) -> dict[str, Any]:
        """Return plain dicts, lists, numbers and strings."""
        return to_dict(self)

    def to_yaml(self) -> str:
        """Return the configuration as YAML; `from_yaml` reads it back.

        Example:
            >>> stainbridge.RegisterConfig(name="mine").to_yaml().splitlines()[0]
            'name: mine'

        """
        return to_yaml(self)

    @classmethod
    def from_yaml(cls, path: Path | str) -> RegisterConfig:
        """Read a YAML file of some or all fields.

        Raises `InputError` for unknown keys and values of the wrong type.

        Example:
            >>> import pathlib
            >>> _ = pathlib.Path("pipeline.yaml").write_text("working_px: 800")
            >>> stainbridge.RegisterConfig.from_yaml("pipeline.yaml").working_px
            800

        """
        path = Path(path)
        values = read_yaml(path)
        former = sorted(FORMER_KEYS & set(values))
        if former:
            raise InputError(
                "a pipeline file of stainbridge 0.1",
                where=path,
                expected="`stages`, a list",
                got=", ".join(former),
                remedy="list the stages, each with its `kind`, as docs/register.md shows",
            )
        return build(cls, values, path)


def _check_order(stages: tuple[AnyStageConfig, ...]) -> None:
    """Raise `InputError` unless the stages can work in their order."""
    entries = [_find_entry(stage) for stage in stages]
    phases = [entry.phase for entry in entries]
    ranks = [PHASES.index(phase) for phase in phases]
    if ranks != sorted(ranks):
        raise InputError(
            "stages in the wrong order", expected=" before ".join(PHASES), got=", ".join(phases)
        )
    kinds = [stage.kind for stage in stages]
    before = entries[: kinds.index("search")] if "search" in kinds else entries
    if "search" not in kinds or any(entry.needs_candidates for entry in before):
        raise InputError(
            "stages must begin with a search",
            where="stages",
            expected="search, or learned-affine with angles and then search",
        )


def _find_entry(stage: AnyStageConfig) -> type[Stage]:
    """Return the stage of the table that has these settings."""
    entry = STAGES.get(getattr(stage, "kind", ""))
    if entry is None or not isinstance(stage, entry.config_type):
        raise InputError(
            "no such stage", where="stages", expected=", ".join(STAGES), got=type(stage).__name__
        )
    return entry


PRESETS: dict[str, RegisterConfig] = {
    "fast": RegisterConfig(
        name="fast",
        working_px=512,
        stages=(
            SearchConfig(angles=36, scales=9, hypotheses=6),
            AffineConfig(steps=(30, 25, 10, 20), survivors=(4, 4, 1, 1), varied=3),
            DeformableConfig(
                sizes_px=(128, 256),
                steps=(25, 25),
                symmetric=False,
                matching=MatchingConfig(steps=20),
            ),
        ),
    ),
    "default": RegisterConfig(),
    "accurate": RegisterConfig(
        name="accurate",
        working_px=1280,
        stages=(
            SearchConfig(angles=60, scales=13, hypotheses=12),
            AffineConfig(
                sizes_px=(64, 128, 256, 256, 512),
                steps=(40, 40, 15, 40, 30),
                survivors=(8, 8, 3, 1, 1),
                varied=4,
            ),
            DeformableConfig(sizes_px=(128, 256, 512, 1024), steps=(60, 60, 60, 40)),
        ),
    ),
}
