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
from stainbridge.registration.training.config import (
    AffineTraining,
    DeformableTraining,
    LossConfig,
    OptimiserConfig,
)
from stainbridge.registration.training.objective import (
    MAX_DENSITY,
    dissimilarity,
    error_px,
    roughness,
)
from stainbridge.registration.training.stream import Sample
from stainbridge.settings import to_dict

SHOWN_SAMPLES = 4


class RegistrationTask(ABC):
    """Trains one network with Adam to lower dissimilarity, roughness and, where asked, the distance
    to the truth.

    Held-out samples are measured by `rtre`: the mean distance to the applied deformation over fixed
    tissue, as a share of the picture's diagonal. A `learn.task.Task` of `Sample`s.
    """

    name: str
    selection_measure = "rtre"

    def __init__(
        self, network: nn.Module, objective: LossConfig, optimiser: OptimiserConfig
    ) -> None:
        self.network, self.objective, self._optimiser = network, objective, optimiser
        self.networks: Mapping[str, nn.Module] = {"network": network}
        self.optimisers: Mapping[str, Optimizer] = {
            "loss": torch.optim.Adam(network.parameters(), lr=optimiser.rate)
        }

    @abstractmethod
    def settings(self) -> Mapping[str, Any]:
        """What the network is built from."""

    @abstractmethod
    def fields(self, fixed: Tensor, moving: Tensor) -> Fields:
        """The network's fields of pictures (N, 1, H, W)."""

    def rate(self, step: int) -> float:
        """The learning rate's factor."""
        return self._optimiser.decay ** (step // self._optimiser.epoch_steps)

    def inputs(self, batch: Sample) -> Mapping[str, Tensor]:
        """Both pictures."""
        return {"fixed": batch.fixed, "moving": batch.moving}

    def updates(self, batch: Sample) -> Iterator[Update]:
        """One loss."""
        found = self.fields(batch.fixed, batch.moving)
        unlike = sum(
            (term.similarity * self._unlike(term, batch) for term in found.terms), torch.zeros(())
        )
        rough = self._rough(found)
        error = error_px(found.final, batch.truth, batch.tissue).mean()
        share = 100 * error / max(batch.fixed.shape[-2:])
        loss = unlike + self.objective.smoothness * rough + self.objective.truth * share
        yield Update("loss", loss, {"dissimilarity": unlike, "roughness": rough, "error_px": error})

    def measure(self, batch: Sample) -> Mapping[str, float]:
        """`rtre` after and before, `dissimilarity` of what is trained on, and the share of folded
        tissue.
        """
        found = self.fields(batch.fixed, batch.moving)
        diagonal = float(np.hypot(*batch.fixed.shape[-2:]))
        before = (
            error_px(torch.zeros_like(batch.truth), batch.truth, batch.tissue).mean() / diagonal
        )
        after = error_px(found.final, batch.truth, batch.tissue).mean() / diagonal
        unlike = self._unlike(Term(found.final), batch)
        return {"rtre": float(after), "rtre_before": float(before), "dissimilarity": float(unlike)}

    def picture(self, batch: Sample) -> npt.NDArray[np.uint8]:
        """A row a sample: fixed, moving, and both over each other (fixed red, moving cyan) before
        and after.
        """
        fixed, moving = batch.fixed[:SHOWN_SAMPLES], batch.moving[:SHOWN_SAMPLES]
        warped = warp(moving, self.fields(fixed, moving).final, "zeros")
        grey = [picture.expand(-1, 3, -1, -1) for picture in (fixed, moving)]
        over = [torch.cat([fixed, other, other], 1) for other in (moving, warped)]
        rows = torch.cat([*grey, *over], 3).clamp(0, MAX_DENSITY) / MAX_DENSITY  # (N, 3, H, 4 W)
        stacked = torch.cat(list(rows), 1).permute(1, 2, 0)
        return np.asarray((255 * (1 - stacked)).round().cpu().numpy(), np.uint8)

    def _unlike(self, term: Term, batch: Sample) -> Tensor:
        warped = warp(batch.moving_density, term.displacement)
        inside = _inside(term.displacement.detach())
        return dissimilarity(batch.fixed_density, warped, inside, self.objective)

    def _rough(self, found: Fields) -> Tensor:
        if found.regular is not None:
            return roughness(found.regular, self.objective)
        terms = (
            t.regularity * roughness(t.displacement, self.objective)
            for t in found.terms
            if t.regularity
        )
        return sum(terms, torch.zeros((), device=found.final.device))


class AffineTask(RegistrationTask):
    """Trains the affine network; an affine map is as smooth as can be, so no regulariser is
    applied.
    """

    name = "affine"

    def __init__(self, config: AffineTraining) -> None:
        self._net = build_affine(config.network)
        self._config = config
        super().__init__(self._net, config.objective, config.optimiser)

    def settings(self) -> Mapping[str, Any]:
        """The network's configuration, and at what resolution it was trained."""
        return _settings(self._config)

    def fields(self, fixed: Tensor, moving: Tensor) -> Fields:
        """The affine map as a field."""
        displacement = affine_displacement(
            self._net(fixed, moving), fixed.shape[-2], fixed.shape[-1]
        )
        return Fields(displacement, (Term(displacement, regularity=0.0),))


class DeformableTask(RegistrationTask):
    """Trains a deformable network."""

    name = "deformable"

    def __init__(self, config: DeformableTraining) -> None:
        self._net = build_deformable(config.network)
        self._config = config
        super().__init__(self._net, config.objective, config.optimiser)

    def settings(self) -> Mapping[str, Any]:
        """The network's configuration, its kind among it, and at what resolution it was trained."""
        return _settings(self._config)

    def fields(self, fixed: Tensor, moving: Tensor) -> Fields:
        """The network's own."""
        found: Fields = self._net(fixed, moving)
        return found


def _settings(config: AffineTraining | DeformableTraining) -> dict[str, Any]:
    pairs = config.pairs
    return {
        "network": to_dict(config.network),
        "section_px": list(pairs.section_px),
        "mpp": pairs.mpp,
        "square": pairs.square,
    }


def _inside(displacement: Tensor) -> Tensor:
    """1 where x + u(x) lies on the picture, (N, 1, H, W)."""
    height, width = displacement.shape[-2:]
    position = pixel_grid(height, width, displacement) + displacement
    limit = displacement.new_tensor([width - 0.5, height - 0.5]).view(1, 2, 1, 1)
    return ((position >= -0.5) & (position <= limit)).all(1, keepdim=True).to(displacement.dtype)
