"""What a training run is asked to do, whatever it trains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar

from stainbridge.compute import DeviceChoice, TrainingPrecision
from stainbridge.ranges import MAX_STEPS, PartialShare, Seed, Within, check_ranges


@dataclass(frozen=True)
class TrainConfig:
    """How long, on what and how often a run trains, validates and saves.

    One step updates every optimiser once. Raises `InputError` for numbers that make no run.
    """

    #: Names of fields in files that version 0.1.0 wrote.
    FORMER_NAMES: ClassVar[Mapping[str, str]] = {"held": "validation_samples"}

    steps: Annotated[int, Within(0, MAX_STEPS)] = 1000
    """Steps in all, those before a resumption included."""
    batch: Annotated[int, Within(1, 4096)] = 1
    """Samples in a batch."""
    accumulate: Annotated[int, Within(1, 4096)] = 1
    """Batches whose gradients are averaged for one step."""
    seed: Seed = 0
    """Seed of every random choice."""
    device: DeviceChoice = "auto"
    """Where to train."""
    devices: Annotated[int, Within(1, 4096)] = 1
    """Number of GPUs or processes; each takes its own batches."""
    precision: TrainingPrecision = "32"
    """Precision of the losses' computation; parameters are always float32. "auto" is bf16 where the
    device computes in it, and 32 elsewhere."""
    channels_last: bool = False
    """Whether pictures and weights are channels-last in memory."""
    average: PartialShare = 0.0
    """Weight of the earlier steps in the moving average of the weights; 0 keeps no average."""
    workers: Annotated[int, Within(0, 256)] = 1
    """Processes that make samples ahead; 0 makes them in the training process."""
    validation_samples: Annotated[int, Within(1, 1_000_000)] = 8
    """Samples to validate on; they are never trained on."""
    log_every: Annotated[int, Within(1, MAX_STEPS)] = 20
    """Steps between two rows of the log."""
    validate_every: Annotated[int, Within(1, MAX_STEPS)] = 200
    """Steps between two validations."""
    save_every: Annotated[int, Within(1, MAX_STEPS)] = 200
    """Steps between two checkpoints."""
    save_every_s: Annotated[float, Within(0, 10**9)] = 300.0
    """Seconds after which a step ends with a checkpoint, however few steps there were."""
    picture_every: Annotated[int, Within(1, MAX_STEPS)] = 200
    """Steps between two pictures."""

    def __post_init__(self) -> None:
        check_ranges(self)

    @property
    def samples_per_step(self) -> int:
        """Samples that one step consumes, over all devices."""
        return self.batch * self.accumulate * self.devices

    @property
    def validation_batches(self) -> int:
        """Batches of all samples to validate on, rounded up to whole ones."""
        return -(-self.validation_samples // self.batch)
