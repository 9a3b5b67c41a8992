"""What the training of a translation is asked to do: run, networks and objective, tiles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, ClassVar

from stainbridge.errors import InputError
from stainbridge.learn.config import TrainConfig
from stainbridge.ranges import Share, Within, check_ranges
from stainbridge.translation.objectives.config import TrainingPreset, TranslationConfig
from stainbridge.translation.objectives.table import OBJECTIVES, load_objective


@dataclass(frozen=True)
class TileSamplingConfig:
    """How training tiles are drawn from pictures and slides."""

    FORMER_NAMES: ClassVar[Mapping[str, str]] = {"turned": "rotate_and_flip"}

    rotate_and_flip: bool = True
    """Turn tiles by right angles and mirror them, at random."""
    reverse: bool = False
    """Make the second stain of the data the source."""
    min_tissue: Share = 0.7
    """Share of a slide's tile that should be tissue, 0 to 1."""
    max_residual_px: Annotated[float | None, Within(0, 1e4, above=True)] = None
    """Leave out pairs of a paired set whose estimated misalignment is larger; None: none."""
    weight_by_residual: bool = False
    """Weigh pairs of a paired set by 1 / (1 + (residual / `residual_scale_px`)²)."""
    residual_scale_px: Annotated[float, Within(0, 1e4, above=True)] = 2.0
    """The misalignment, in pixels, at which a pair counts half as much as an aligned one."""

    def __post_init__(self) -> None:
        check_ranges(self)
        limits = (self.max_residual_px, self.residual_scale_px)
        for name, value in zip(("max_residual_px", "residual_scale_px"), limits, strict=True):
            if value is not None and not value > 0:
                raise InputError(f"{name} must be positive", got=value)

    @property
    def needs_scores(self) -> bool:
        """Whether the data must say how well each pair is aligned."""
        return self.weight_by_residual or self.max_residual_px is not None


@dataclass(frozen=True)
class GeneratedTissueConfig:
    """The generated tissue that a translation is trained on, in blocks of a pair of sections."""

    FORMER_NAMES: ClassVar[Mapping[str, str]] = {
        "shift": "shift_share",
        "elastic": "elastic_share",
        "laboratory": "laboratory_variation",
        "per_block": "tiles_per_block",
        "at_hand": "cached_blocks",
    }

    organs: tuple[str, ...] = ("gland",)
    """Organs of `phantom`, drawn at random."""
    distance_um: Annotated[float, Within(0, 1000)] = 2.0
    """Largest distance of the two sections, in µm. With 0 one section is stained twice."""
    shift_share: Share = 0.01
    """Misalignment by a shift, as a share of a tile's side."""
    elastic_share: Share = 0.008
    """Misalignment by deformation, as a share of a tile's side."""
    laboratory_variation: Annotated[float, Within(0, 10)] = 0.3
    """How different the laboratories' stains and scanners are; 0 is one laboratory."""
    tiles_per_block: Annotated[int, Within(1, 1_000_000)] = 12
    """Tiles that each block yields before it is replaced."""
    cached_blocks: Annotated[int, Within(1, 10000)] = 8
    """Blocks in memory, which yield tiles in turn."""

    def __post_init__(self) -> None:
        check_ranges(self)


@dataclass(frozen=True)
class TranslationTraining:
    """Settings of `train translate`."""

    translation: TranslationConfig
    """Networks, objective and optimiser."""
    train: TrainConfig = field(default_factory=TrainConfig)
    """The run: steps, batch, device, intervals."""
    tiles: TileSamplingConfig = field(default_factory=TileSamplingConfig)
    """How tiles are drawn from pictures and slides."""
    generated: GeneratedTissueConfig = field(default_factory=GeneratedTissueConfig)
    """The generated tissue, where there is no other data."""

    def __post_init__(self) -> None:
        if self.tiles.weight_by_residual and not self.translation.objective.weighs_pairs:
            raise InputError(
                "the objective has no term that compares pairs place by place",
                where="weight_by_residual",
                expected=", ".join(_weighing_objectives()),
                got=self.translation.name or self.translation.objective.kind,
            )

    @classmethod
    def preset(cls, objective: str, preset: TrainingPreset) -> TranslationTraining:
        """Return the settings of a published objective.

        "paper" has the published networks, tiles and rates; "small" is for two CPU cores and a
        night. Raises `InputError` for a name that the table of objectives lacks.
        """
        translation = TranslationConfig.preset(objective, preset)
        if preset == "small":
            return cls._small(translation)
        paper = load_objective(objective).paper
        train = TrainConfig(
            steps=paper.steps,
            batch=paper.batch,
            workers=4,
            validation_samples=64,
            log_every=100,
            validate_every=2000,
            save_every=2000,
            picture_every=2000,
            precision="auto",
            channels_last=True,
        )
        settings = cls(replace(translation, tile_px=paper.tile_px), train)
        return settings.fit_to_steps(paper.steps)

    @classmethod
    def _small(cls, translation: TranslationConfig) -> TranslationTraining:
        optimiser = replace(translation.optimiser, rate=5e-4, steady_steps=3000, decay_steps=3000)
        train = TrainConfig(
            steps=6000,
            batch=4,
            validation_samples=32,
            log_every=50,
            precision="auto",
            channels_last=True,
        )
        return cls(replace(translation, tile_px=128, optimiser=optimiser), train)

    def fit_to_steps(self, steps: int) -> TranslationTraining:
        """Return the same settings for a run of `steps`, the rate's schedule with it."""
        optimiser = self.translation.optimiser.fit_to_steps(steps)
        translation = replace(self.translation, optimiser=optimiser)
        return replace(self, translation=translation, train=replace(self.train, steps=steps))


def _weighing_objectives() -> list[str]:
    """Return the objectives whose pairs can be weighted."""
    return [name for name in OBJECTIVES if load_objective(name).config.weighs_pairs]
