"""Translation as tasks of the training loop."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from stainbridge.learn.task import Update
from stainbridge.nn.generators import Generator, build_generator
from stainbridge.nn.multiscale_discriminator import MultiscaleDiscriminator
from stainbridge.settings import to_dict
from stainbridge.translation.objectives.comparison import SHOWN, picture_distances, picture_rows
from stainbridge.translation.objectives.config import TranslationConfig

#: Names of the networks in files of weights. Files of version 0.1.0 have them, so they stay.
GENERATOR = "to_target"
REVERSE_GENERATOR = "to_source"
TARGET_DISCRIMINATOR = "judge_target"
SOURCE_DISCRIMINATOR = "judge_source"


class TilePair(NamedTuple):
    """Tiles of both stains, of one sample or of a batch."""

    source: Tensor
    """Tiles of the source stain, (N, C, H, W) in −1 … 1."""
    target: Tensor
    """Tiles of the target stain, (N, C, H, W) in −1 … 1."""
    paired: Tensor | bool = True
    """Whether they show the same tissue, (N,). Some objectives need them to."""
    weight: Tensor | float = 1.0
    """Weight of the pair in the terms that compare place by place, (N,); 1 on average."""


class TranslationTask(ABC):
    """Trains a generator from source to target against a discriminator.

    A `learn.task.Task` of `TilePair`. Held-out tiles are measured by `picture_distances`. The best
    weights are those of the least `coarse_l1`: where pairs are not aligned to the pixel, pale blur
    is nearest pixel by pixel, and a run's first steps would win.
    """

    name = "translate"
    selection_measure: str

    def __init__(self, config: TranslationConfig) -> None:
        self.config = config
        self.selection_measure = config.objective.selection_measure
        self.generator: Generator = build_generator(config.generator)
        self.target_discriminator = MultiscaleDiscriminator(config.discriminator)
        self.networks: Mapping[str, nn.Module] = {
            GENERATOR: self.generator,
            TARGET_DISCRIMINATOR: self.target_discriminator,
        }
        self.optimisers: Mapping[str, Optimizer] = {
            "generator": self._adam(self.generator),
            "discriminator": self._adam(self.target_discriminator),
        }

    @abstractmethod
    def updates(self, batch: TilePair) -> Iterator[Update]:
        """Yield the losses of generator and discriminator, in the published order."""

    def settings(self) -> Mapping[str, Any]:
        """Return what the networks are built from: the whole configuration but the optimiser's."""
        return {key: value for key, value in to_dict(self.config).items() if key != "optimiser"}

    def rate(self, step: int) -> float:
        """Return the learning rate's factor at `step`."""
        return self.config.optimiser.rate_factor(step)

    def inputs(self, batch: TilePair) -> Mapping[str, Tensor]:
        """Return both tiles by name."""
        return {"source": batch.source, "target": batch.target}

    def measure(self, batch: TilePair) -> Mapping[str, float]:
        """Return how far fake tiles are from the real ones of the pair."""
        return picture_distances(self.generator(batch.source), batch.target)

    def picture(self, batch: TilePair) -> npt.NDArray[np.uint8]:
        """Draw a row a sample, (H, W, 3): source, fake target, target."""
        source = batch.source[:SHOWN]
        return picture_rows(source, self.generator(source), batch.target[:SHOWN])

    def _adam(self, *networks: nn.Module) -> Optimizer:
        parameters = [parameter for network in networks for parameter in network.parameters()]
        return torch.optim.Adam(
            parameters, self.config.optimiser.rate, self.config.optimiser.betas, fused=True
        )
