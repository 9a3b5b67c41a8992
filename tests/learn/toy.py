"""A small adversarial task: two networks, two optimisers, dropout, a buffer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from stainbridge.errors import InputError
from stainbridge.learn.config import TrainConfig
from stainbridge.learn.loop import TrainingData, train
from stainbridge.learn.task import Update
from stainbridge.learn.weights import read_weights


@dataclass(frozen=True)
class ToyStream:
    """Random pictures (1, 8, 8) in 0 … 1; from sample `bad` on they cannot be read."""

    seed: int = 0
    bad: int | None = None

    def __getitem__(self, number: int) -> Tensor:
        if self.bad is not None and number >= self.bad:
            raise InputError("unreadable", where=f"sample {number}")
        rng = np.random.default_rng([self.seed, number])
        return torch.from_numpy(rng.random((1, 8, 8), np.float32))


class ToyTask:
    """The generator is to fool the critic, which tells its pictures from real ones."""

    name = "toy"
    selection_measure = "distance"

    def __init__(
        self, width: int = 3, hook: Callable[[int], float] = lambda step: 1.0, plain: bool = False
    ) -> None:
        self.width = width
        self.hook = hook
        self.batches = 0
        conv = nn.Conv2d
        generator = nn.Sequential(
            conv(1, width, 3, padding=1),
            nn.Identity() if plain else nn.Dropout(0.3),
            conv(width, 1, 1),
        )
        critic = nn.Sequential(
            conv(1, width, 3),
            nn.Identity() if plain else nn.BatchNorm2d(width),
            nn.ReLU(),
            conv(width, 1, 1),
        )
        self.networks: Mapping[str, nn.Module] = {"generator": generator, "critic": critic}
        self.optimisers: Mapping[str, Optimizer] = {
            name: torch.optim.Adam(network.parameters(), 1e-2, betas=(0.5, 0.9))
            for name, network in self.networks.items()
        }

    def settings(self) -> Mapping[str, Any]:
        return {"width": self.width}

    def rate(self, step: int) -> float:
        return 0.5**step

    def inputs(self, batch: Tensor) -> Mapping[str, Tensor]:
        return {"pictures": batch}

    def updates(self, batch: Tensor) -> Iterator[Update]:
        generator = self.networks["generator"]
        critic = self.networks["critic"]
        made = generator(batch)
        factor = self.hook(self.batches)
        self.batches += 1
        yield Update(
            "generator", factor * (critic(made) - 1).square().mean(), {"spread": made.std()}
        )
        yield Update(
            "critic", (critic(batch) - 1).square().mean() + critic(made.detach()).square().mean()
        )

    def measure(self, batch: Tensor) -> Mapping[str, float]:
        return {
            "distance": float((self.networks["generator"](batch) - batch).abs().mean().detach())
        }

    def picture(self, batch: Tensor) -> npt.NDArray[np.uint8]:
        grey = (255 * batch[0, 0].clamp(0, 1)).byte().numpy()
        return np.repeat(grey[..., None], 3, 2)


CONFIG = TrainConfig(
    steps=6,
    batch=2,
    accumulate=2,
    workers=0,
    validation_samples=3,
    device="cpu",
    log_every=2,
    validate_every=3,
    picture_every=4,
)


def run(
    folder: Path, config: TrainConfig = CONFIG, *, resume: bool = False, **task: Any
) -> Mapping[str, Tensor]:
    """Train a toy in `folder`; the tensors of last.safetensors."""
    folder.mkdir(exist_ok=True)
    train(
        lambda: ToyTask(**task),
        TrainingData(ToyStream(0), ToyStream(1)),
        config,
        folder,
        resume=resume,
    )
    return read_weights(folder / "last.safetensors").tensors
