"""What a training run is asked to do, whatever it trains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from stainbridge.compute import DeviceChoice, TrainingPrecision
from stainbridge.errors import InputError

#: Fields that must be at least 1.
POSITIVE_FIELDS = (
    "batch",
    "accumulate",
    "devices",
    "validation_samples",
    "log_every",
    "validate_every",
    "save_every",
    "picture_every",
)
#: Fields that must be at least 0.
NON_NEGATIVE_FIELDS = ("steps", "workers", "seed")


@dataclass(frozen=True)
class TrainConfig:
    """How long, on what and how often a run trains, validates and saves.

    One step updates every optimiser once. Raises `InputError` for numbers that make no run.
    """

    #: Names of fields in files that version 0.1.0 wrote.
    FORMER_NAMES: ClassVar[Mapping[str, str]] = {"held": "validation_samples"}

    steps: int = 1000
    """Steps in all, those before a resumption included."""
    batch: int = 1
    """Samples in a batch."""
    accumulate: int = 1
    """Batches whose gradients are averaged for one step."""
    seed: int = 0
    """Seed of every random choice."""
    device: DeviceChoice = "auto"
    """Where to train."""
    devices: int = 1
    """Number of GPUs or processes; each takes its own batches."""
    precision: TrainingPrecision = "32"
    """Precision of the losses' computation; parameters are always float32. "auto" is bf16 where the
    device computes in it, and 32 elsewhere."""
    channels_last: bool = False
    """Whether pictures and weights are channels-last in memory."""
    average: float = 0.0
    """Weight of the earlier steps in the moving average of the weights; 0 keeps no average."""
    workers: int = 1
    """Processes that make samples ahead; 0 makes them in the training process."""
    validation_samples: int = 8
    """Samples to validate on; they are never trained on."""
    log_every: int = 20
    """Steps between two rows of the log."""
    validate_every: int = 200
    """Steps between two validations."""
    save_every: int = 200
    """Steps between two checkpoints."""
    picture_every: int = 200
    """Steps between two pictures."""

    def __post_init__(self) -> None:
        for name in POSITIVE_FIELDS:
            if getattr(self, name) < 1:
                raise InputError(
                    f"{name} must be positive", expected="at least 1", got=getattr(self, name)
                )
        for name in NON_NEGATIVE_FIELDS:
            if getattr(self, name) < 0:
                raise InputError(f"{name} must not be negative", got=getattr(self, name))
        if not 0 <= self.average < 1:
            raise InputError("average is a share", expected="0 to below 1", got=self.average)

    @property
    def samples_per_step(self) -> int:
        """Samples that one step consumes, over all devices."""
        return self.batch * self.accumulate * self.devices
