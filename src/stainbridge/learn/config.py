"""What a training run is asked to do, whatever it trains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from stainbridge.errors import InputError

DeviceChoice = Literal["auto", "cpu", "cuda"]
Precision = Literal["32", "bf16", "16"]


@dataclass(frozen=True)
class TrainConfig:
    """One step updates every optimiser once, from `accumulate` batches of `batch` samples on each
    of `devices`.

    `precision` "bf16" and "16" are mixed precision; `channels_last` is how pictures lie in memory.
    `workers` processes make samples ahead. `held` samples, never trained on, are measured every
    `validate_every` steps. With `average` what is measured and kept as best is the moving average
    of the weights, this much of it the earlier ones (0: none). Raises `InputError` for numbers that
    make no run.
    """

    steps: int = 1000
    batch: int = 1
    accumulate: int = 1
    seed: int = 0
    device: DeviceChoice = "auto"
    devices: int = 1
    precision: Precision = "32"
    channels_last: bool = False
    average: float = 0.0
    workers: int = 1
    held: int = 8
    log_every: int = 20
    validate_every: int = 200
    save_every: int = 200
    picture_every: int = 200

    def __post_init__(self) -> None:
        for name in (
            "batch",
            "accumulate",
            "devices",
            "held",
            "log_every",
            "validate_every",
            "save_every",
            "picture_every",
        ):
            if getattr(self, name) < 1:
                raise InputError(
                    f"{name} must be positive", expected="at least 1", got=getattr(self, name)
                )
        for name in ("steps", "workers", "seed"):
            if getattr(self, name) < 0:
                raise InputError(f"{name} must not be negative", got=getattr(self, name))
        if not 0 <= self.average < 1:
            raise InputError("average is a share", expected="0 to below 1", got=self.average)

    @property
    def samples_per_step(self) -> int:
        """Samples that one step consumes, over all devices."""
        return self.batch * self.accumulate * self.devices
