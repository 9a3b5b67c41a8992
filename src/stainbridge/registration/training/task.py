"""Registration networks as tasks of the training loop."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from stainbridge.geometry.flow import affine_displacement, pixel_grid, warp
from stainbridge.learn.task import Update
from stainbridge.nn.affine import build_affine
from stainbridge.nn.deformable import build_deformable
from stainbridge.nn.fields import Fields, Term
from stainbridge.registration.training.augment import MAX_DENSITY
from stainbridge.registration.training.config import (
    AffineTraining,
    DeformableTraining,
    LossConfig,
    OptimiserConfig,
)
from stainbridge.registration.training.objective import dissimilarity, error_px, roughness
from stainbridge.registration.training.stream import Sample
from stainbridge.settings import to_dict

#: Samples in a picture.
SHOWN_SAMPLES = 4


class RegistrationTask(ABC):
    """Trains one network with Adam. A `learn.task.Task` of `Sample`s.

    The loss is dissimilarity, roughness and, where asked for, the distance to the truth. Validation
    samples are measured by `rtre`: the mean distance to the applied deformation over fixed tissue,
    as a share of the picture's diagonal.
    """

    name: str
    selection_measure = "rtre"

    def __init__(
        self, network: nn.Module, objective: LossConfig, optimiser: OptimiserConfig
    ) -> None:
        self.network = network
        self.objective = objective
        self._optimiser = optimiser
        self.networks: Mapping[str, nn.Module] = {"network": network}
        self.optimisers: Mapping[str, Optimizer] = {
            "loss": torch.optim.Adam(network.parameters(), lr=optimiser.rate)
        }

    @abstractmethod
    def settings(self) -> Mapping[str, Any]:
        """Return what the network is built from."""

    @abstractmethod
    def fields(self, fixed: Tensor, moving: Tensor) -> Fields:
        """Return the network's fields of pictures (N, 1, H, W)."""

    def rate(self, step: int) -> float:
        """Return the learning rate's factor."""
        return self._optimiser.decay ** (step // self._optimiser.epoch_steps)

    def inputs(self, batch: Sample) -> Mapping[str, Tensor]:
        """Return both pictures."""
        return {"fixed": batch.fixed, "moving": batch.moving}

    def updates(self, batch: Sample) -> Iterator[Update]:
        """Yield the one loss."""
        fields = self.fields(batch.fixed, batch.moving)
        unlike = sum(
            (term.similarity * self._dissimilarity(term, batch) for term in fields.terms),
            torch.zeros(()),
        )
        rough = self._roughness(fields)
        error = error_px(fields.final, batch.truth, batch.tissue).mean()
        error_percent = 100 * error / max(batch.fixed.shape[-2:])
        loss = unlike + self.objective.smoothness * rough + self.objective.truth * error_percent
        yield Update("loss", loss, {"dissimilarity": unlike, "roughness": rough, "error_px": error})

    def measure(self, batch: Sample) -> Mapping[str, float]:
        """Return `rtre` before and after, and the `dissimilarity` that is trained on."""
        fields = self.fields(batch.fixed, batch.moving)
        diagonal = float(np.hypot(*batch.fixed.shape[-2:]))
        unmoved = torch.zeros_like(batch.truth)
        before = error_px(unmoved, batch.truth, batch.tissue).mean() / diagonal
        after = error_px(fields.final, batch.truth, batch.tissue).mean() / diagonal
        unlike = self._dissimilarity(Term(fields.final), batch)
        return {"rtre": float(after), "rtre_before": float(before), "dissimilarity": float(unlike)}

    def picture(self, batch: Sample) -> npt.NDArray[np.uint8]:
        """Draw a row a sample: fixed, moving, and their overlay before and after.

        In overlays the fixed picture is red and the moving one cyan.
        """
        fixed = batch.fixed[:SHOWN_SAMPLES]
        moving = batch.moving[:SHOWN_SAMPLES]
        warped = warp(moving, self.fields(fixed, moving).final, "zeros")
        greys = [picture.expand(-1, 3, -1, -1) for picture in (fixed, moving)]
        overlays = [torch.cat([fixed, other, other], 1) for other in (moving, warped)]
        # (N, 3, H, 4 W)
        rows = torch.cat([*greys, *overlays], 3).clamp(0, MAX_DENSITY) / MAX_DENSITY
        stacked = torch.cat(list(rows), 1).permute(1, 2, 0)
        return np.asarray((255 * (1 - stacked)).round().cpu().numpy(), np.uint8)

    def _dissimilarity(self, term: Term, batch: Sample) -> Tensor:
        warped = warp(batch.moving_density, term.displacement)
        inside = _inside_mask(term.displacement.detach())
        return dissimilarity(batch.fixed_density, warped, inside, self.objective)

    def _roughness(self, fields: Fields) -> Tensor:
        if fields.regular is not None:
            return roughness(fields.regular, self.objective)
        terms = (
            term.regularity * roughness(term.displacement, self.objective)
            for term in fields.terms
            if term.regularity
        )
        return sum(terms, torch.zeros((), device=fields.final.device))


class AffineTask(RegistrationTask):
    """Trains an affine network; an affine map needs no regulariser, so none is applied."""

    name = "affine"

    def __init__(self, config: AffineTraining) -> None:
        self._net = build_affine(config.network)
        self._config = config
        super().__init__(self._net, config.objective, config.optimiser)

    def settings(self) -> Mapping[str, Any]:
        """Return the network's configuration, and the resolution that it was trained at."""
        return _describe_network(self._config)

    def fields(self, fixed: Tensor, moving: Tensor) -> Fields:
        """Return the affine map as a field."""
        matrices = self._net(fixed, moving)
        displacement = affine_displacement(matrices, fixed.shape[-2], fixed.shape[-1])
        return Fields(displacement, (Term(displacement, regularity=0.0),))


class DeformableTask(RegistrationTask):
    """Trains a deformable network."""

    name = "deformable"

    def __init__(self, config: DeformableTraining) -> None:
        self._net = build_deformable(config.network)
        self._config = config
        super().__init__(self._net, config.objective, config.optimiser)

    def settings(self) -> Mapping[str, Any]:
        """Return the network's configuration, and the resolution that it was trained at."""
        return _describe_network(self._config)

    def fields(self, fixed: Tensor, moving: Tensor) -> Fields:
        """Return the network's fields."""
        fields: Fields = self._net(fixed, moving)
        return fields


def _describe_network(config: AffineTraining | DeformableTraining) -> dict[str, Any]:
    pairs = config.pairs
    return {
        "network": to_dict(config.network),
        "section_px": list(pairs.section_px),
        "mpp": pairs.mpp,
        "square": pairs.square,
    }


def _inside_mask(displacement: Tensor) -> Tensor:
    """Return 1 where x + u(x) lies on the picture, (N, 1, H, W)."""
    height, width = displacement.shape[-2:]
    position = pixel_grid(height, width, displacement) + displacement
    limit = displacement.new_tensor([width - 0.5, height - 0.5]).view(1, 2, 1, 1)
    return ((position >= -0.5) & (position <= limit)).all(1, keepdim=True).to(displacement.dtype)
