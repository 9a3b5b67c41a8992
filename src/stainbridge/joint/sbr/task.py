"""What the tasks of all variants have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from stainbridge.geometry.flow import warp
from stainbridge.joint.sbr.network import SynthByReg
from stainbridge.joint.sbr.stream import SlicePair
from stainbridge.learn.task import Update
from stainbridge.nn.fields import Fields
from stainbridge.nn.resnet_generator import ResNetGenerator
from stainbridge.nn.unet_svf import UNetSVF
from stainbridge.settings import to_dict
from stainbridge.similarity.regularity import diffusion

if TYPE_CHECKING:
    from stainbridge.joint.sbr.config import SbrTraining

#: Samples in a picture.
SHOWN = 4
#: Names of the networks in files of weights.
REGISTRATION = "registration"
GENERATOR = "generator"


@dataclass(frozen=True, eq=False)
class StackFacts:
    """What a task must know of the slices."""

    mpp: float
    """Pixel size of the slices in µm, or in pixels of their files where it is not known."""
    longest_px: int
    """Longer side of a frame around the tissue, in pixels."""
    calibrated: bool = True
    """Whether `mpp` is in µm."""
    classes: int = 0
    """Classes of the labels; 0 without labels."""
    registration: UNetSVF | None = None
    """The trained network R, for variants that take one."""


class SliceTask(ABC):
    """Trains the networks of a variant. A `learn.task.Task` of `SlicePair`.

    Validation slices are measured by `mismatch`, the loss without terms that only training has.
    Where there are labels, `dice` and `dice_before` are logged too; nothing is chosen by them.
    """

    name = "sbr"
    selection_measure = "mismatch"

    def __init__(
        self, training: SbrTraining, facts: StackFacts, generator: ResNetGenerator | None
    ) -> None:
        self.training = training
        self.facts = facts
        registration = facts.registration or UNetSVF(training.network)
        self.net = SynthByReg(registration, generator)
        self.networks: Mapping[str, nn.Module] = {REGISTRATION: registration}
        if generator is not None:
            self.networks = {**self.networks, GENERATOR: generator}
        self.optimisers: Mapping[str, Optimizer] = {}

    @abstractmethod
    def updates(self, batch: SlicePair) -> Iterator[Update]:
        """Yield the losses of one step."""

    @abstractmethod
    def mismatch(self, batch: SlicePair, fields: Fields) -> Tensor:
        """Return how badly the fields register a batch, a scalar."""

    def settings(self) -> Mapping[str, Any]:
        """Return what the networks are built from, and the slices' pixel size."""
        has_generator = self.net.generator is not None
        return {
            "variant": self.training.variant,
            "network": to_dict(self.net.registration.config),
            "generator": to_dict(self.training.generator) if has_generator else None,
            "mpp": self.facts.mpp,
            "calibrated": self.facts.calibrated,
            "longest_px": self.facts.longest_px,
        }

    def rate(self, step: int) -> float:
        """Return the learning rate's factor."""
        return self.training.optimiser.rate_factor(step, self.training.train.steps)

    def inputs(self, batch: SlicePair) -> Mapping[str, Tensor]:
        """Return both pictures."""
        return {"fixed": batch.fixed, "moving": batch.moving}

    def measure(self, batch: SlicePair) -> Mapping[str, float]:
        """Return `mismatch`, and Dice's overlap of labels after and before, where there are any."""
        fields = self.register(batch)
        scores = {"mismatch": float(self.mismatch(batch, fields))}
        if batch.fixed_labels.shape[1]:
            warped = warp(batch.moving_labels, fields.final, "zeros")
            scores["dice"] = float(soft_dice(batch.fixed_labels, warped).mean())
            scores["dice_before"] = float(soft_dice(batch.fixed_labels, batch.moving_labels).mean())
        return scores

    def picture(self, batch: SlicePair) -> npt.NDArray[np.uint8]:
        """Draw a row a sample: moving, translated, translated and warped, fixed, (H, W, 3)."""
        few = SlicePair(*(planes[:SHOWN] for planes in batch))
        synthetic = self.net.synthesise(few.moving)
        warped = warp(synthetic, self.register(few).final, "zeros")
        columns = torch.cat([few.moving, synthetic, warped, few.fixed], 3)
        rows = torch.cat(list(columns.expand(-1, 3, -1, -1)), 1).permute(1, 2, 0)
        return np.asarray((255 * rows.float().clamp(0, 1)).round().cpu().numpy(), np.uint8)

    def register(self, batch: SlicePair) -> Fields:
        """Return the fields from fixed to moving pictures."""
        fields: Fields = self.net(batch.fixed, batch.moving)
        return fields

    def make_adam(self, *networks: nn.Module) -> Optimizer:
        """Return the optimiser of networks."""
        parameters = [parameter for network in networks for parameter in network.parameters()]
        optimiser = self.training.optimiser
        return torch.optim.Adam(parameters, optimiser.rate, optimiser.betas, fused=True)


def measure_roughness(fields: Fields, smoothness: float) -> Tensor:
    """Return 2λ‖∇ψ‖², a scalar, of the velocity ψ (Casamitjana et al. 2021, equation 2)."""
    assert fields.regular is not None
    return 2 * smoothness * diffusion(fields.regular).mean()


def soft_dice(a: Tensor, b: Tensor) -> Tensor:
    """Return Dice's overlap of shares (N, K, H, W) by class, (K,).

    The sums are over the whole batch. Where neither has a class, its overlap is 1.
    """
    overlap = 2 * (a * b).sum((0, 2, 3)) + DICE_GUARD
    total = (a.square() + b.square()).sum((0, 2, 3)) + DICE_GUARD
    return overlap / total


#: Keeps the overlap of absent classes finite, in pixels.
DICE_GUARD = 1.0
