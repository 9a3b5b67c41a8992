"""Translation as tasks of the training loop."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer

from stainbridge.learn.task import Update
from stainbridge.nn.generators import Generator, generator
from stainbridge.nn.multiscale_discriminator import MultiscaleDiscriminator
from stainbridge.settings import to_dict
from stainbridge.similarity.ssim import ssim
from stainbridge.translation.objectives.config import TranslationConfig
from stainbridge.translation.objectives.terms import pixelwise

SHOWN = 4
SPAN = 2.0  # of values in −1 … 1
COARSE_PX = 8


class Tiles(NamedTuple):
    """Tiles of both stains, (N, C, H, W) each in −1 … 1, and whether they show the same tissue,
    (N,).

    Some objectives need them to.
    """

    source: Tensor
    target: Tensor
    paired: Tensor | bool = True


class TranslationTask(ABC):
    """Trains a generator from source to target against a discriminator. A `learn.task.Task` of
    `Tiles`.

    Held-out tiles are measured by `l1`, the mean absolute difference in −1 … 1, `coarse_l1`, that
    of means of 8 x 8 pixels, PSNR and SSIM. The best weights are those of the least `coarse_l1`:
    pixel by pixel, where pairs are not aligned to the pixel, pale blur is nearest, and a run's
    first steps win.
    """

    name = "translate"
    best_by = "coarse_l1"

    def __init__(self, config: TranslationConfig) -> None:
        self.config = config
        self.to_target: Generator = generator(config.generator)
        self.judge_target = MultiscaleDiscriminator(config.discriminator)
        self.networks: Mapping[str, nn.Module] = {
            "to_target": self.to_target,
            "judge_target": self.judge_target,
        }
        self.optimisers: Mapping[str, Optimizer] = {
            "generator": self._adam(self.to_target),
            "discriminator": self._adam(self.judge_target),
        }

    @abstractmethod
    def updates(self, batch: Tiles) -> Iterator[Update]:
        """The losses of generator and discriminator, in the published order."""

    def settings(self) -> Mapping[str, Any]:
        """What the networks are built from: the whole configuration but the optimiser's."""
        return {key: value for key, value in to_dict(self.config).items() if key != "optimiser"}

    def rate(self, step: int) -> float:
        """The learning rate's factor."""
        return self.config.optimiser.factor(step)

    def inputs(self, batch: Tiles) -> Mapping[str, Tensor]:
        """Both tiles."""
        return {"source": batch.source, "target": batch.target}

    def measure(self, batch: Tiles) -> Mapping[str, float]:
        """How far made tiles are from the real ones of the pair."""
        return distances(self.to_target(batch.source), batch.target)

    def picture(self, batch: Tiles) -> npt.NDArray[np.uint8]:
        """A row a sample: source, made, target."""
        source, target = batch.source[:SHOWN], batch.target[:SHOWN]
        return rows_of(source, self.to_target(source), target)

    def _adam(self, *networks: nn.Module) -> Optimizer:
        parameters = [parameter for network in networks for parameter in network.parameters()]
        return torch.optim.Adam(
            parameters, self.config.optimiser.rate, self.config.optimiser.betas, fused=True
        )


def distances(made: Tensor, real: Tensor) -> dict[str, float]:
    """`l1`, `coarse_l1`, `psnr_db` and `ssim_gaussian11` of pictures (N, C, H, W) in −1 … 1, means
    over pictures.
    """
    made = made.float()
    coarse = (
        F.avg_pool2d(x, COARSE_PX, ceil_mode=True, count_include_pad=False) for x in (made, real)
    )
    error = (made - real).square().mean((1, 2, 3)).clamp_min(1e-12)
    alike = ssim(made, real, window="gaussian11", span=SPAN)
    return {
        "l1": float(pixelwise(made, real)),
        "coarse_l1": float(pixelwise(*coarse)),
        "psnr_db": float((10 * torch.log10(SPAN**2 / error)).mean()),
        "ssim_gaussian11": float(alike.mean()),
    }


def rows_of(*columns: Tensor) -> npt.NDArray[np.uint8]:
    """Pictures (N, C, H, W) in −1 … 1, C 1 or 3, side by side, a row a sample: (N·H, columns·W, 3)."""
    coloured = [column.float().clamp(-1, 1).expand(-1, 3, -1, -1) for column in columns]
    rows = torch.cat(list(torch.cat(coloured, 3)), 1).permute(1, 2, 0)
    return np.asarray((127.5 * (rows + 1)).round().cpu().numpy(), np.uint8)
