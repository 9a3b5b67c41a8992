"""An objective as it was published: its configuration, its task, and how it was trained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from stainbridge.translation.objectives.config import (
    TrainingPreset,
    TranslationConfig,
    TranslationObjectiveConfig,
)
from stainbridge.translation.objectives.task import TranslationTask

Config = TypeVar("Config", bound=TranslationObjectiveConfig)


@dataclass(frozen=True)
class PaperTraining:
    """How long, and on which tiles, the paper trained."""

    tile_px: int
    """Side of a tile, in pixels."""
    batch: int
    """Tiles a step."""
    steps: int
    """Steps of the optimisers."""


#: As pyramid pix2pix was trained on BCI: 100 epochs of 3896 pairs. The other objectives that learn
#: from pairs are trained alike.
BCI_TRAINING = PaperTraining(tile_px=1024, batch=2, steps=194_800)


@dataclass(frozen=True)
class PublishedObjective(Generic[Config]):
    """A line of the table of objectives. The module of each objective makes one."""

    config: type[Config]
    """The weights of the terms, told apart in files by their `kind`."""
    task: Callable[[TranslationConfig, Config], TranslationTask]
    """Makes the task that trains with a configuration."""
    preset: Callable[[TrainingPreset], TranslationConfig]
    """Networks, weights and optimiser, as published or small."""
    paper: PaperTraining
    """Tiles and steps of the preset "paper"."""
