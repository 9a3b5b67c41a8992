"""Which other network is trained on SAR's pairs, to compare with."""

from __future__ import annotations

from dataclasses import dataclass, field

from stainbridge.nn.deformable import DeformableNetConfig
from stainbridge.nn.multiscale_fcn import MultiscaleFCNConfig
from stainbridge.registration.training.config import (
    DeformableTraining,
    LossConfig,
    OptimiserConfig,
    TrainingPreset,
)


@dataclass(frozen=True)
class ComparatorConfig:
    """A network in the generator's place: no adversary, no masks, no perceptual distance."""

    network: DeformableNetConfig = field(default_factory=MultiscaleFCNConfig)
    """The network, told apart by its `kind`."""
    objective: LossConfig = field(default_factory=LossConfig)
    """The loss."""
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)
    """The optimiser."""

    @classmethod
    def preset(cls, name: TrainingPreset, network: str) -> ComparatorConfig:
        """Return network, loss and optimiser of `train deformable`'s preset of that name."""
        training = DeformableTraining.preset(name, network)
        return cls(training.network, training.objective, training.optimiser)
