"""A generator that is handed pixels and gives pixels back, on any device, from any thread."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import Literal, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from stainbridge.errors import InputError
from stainbridge.translation.training.augment import scaled, unscaled, with_channels
from stainbridge.types import Pixels

Device = Literal["auto", "cpu", "cuda"]
Precision = Literal["32", "bf16", "16"]
DTYPES = {"32": torch.float32, "bf16": torch.bfloat16, "16": torch.float16}
T = TypeVar("T")


class OutOfMemoryError(InputError):
    """A tile does not fit into memory."""


@dataclass(frozen=True, eq=False)
class Inference:
    """`network`, of `channels`, on `device` in `precision`; it computes one tile at a time,
    whichever thread asks.
    """

    network: nn.Module
    channels: int
    device: torch.device
    precision: Precision = "32"
    _lock: Lock = field(default_factory=Lock, repr=False)

    def __call__(self, pixels: Pixels) -> npt.NDArray[np.uint8]:
        """(C, H, W) of 8 bits to what the network makes of them.

        Raises `OutOfMemoryError` when the tile is too large for the device, `InputError` for other
        pixels.
        """
        with (
            self._lock,
            torch.inference_mode(),
            memory_watched(f"{pixels.shape[-1]} x {pixels.shape[-2]} px"),
        ):
            picture = scaled(with_channels(pixels, self.channels, "a tile"))[None].to(self.device)
            mixed = DTYPES[self.precision]
            with torch.autocast(self.device.type, mixed, enabled=mixed is not torch.float32):
                made = self.network(picture)
            return np.asarray(unscaled(made[0]), np.uint8)


def whole(run: Inference, period: int, pixels: Pixels) -> npt.NDArray[np.uint8]:
    """A picture (C, H, W) translated in one piece; its sides are mirrored on to multiples of the
    network's period.
    """
    height, width = pixels.shape[1:]
    below, right = -height % period, -width % period
    padded = np.pad(pixels, ((0, 0), (0, below), (0, right)), mode="symmetric")
    return run(padded)[:, :height, :width]


def device_named(name: Device) -> torch.device:
    """Where to compute. Raises `InputError` when "cuda" is asked for and there is none."""
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError(
            "no CUDA device can be used",
            expected="a GPU and a CUDA build of torch",
            remedy="use auto",
        )
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


@contextmanager
def memory_watched(size: str) -> Iterator[None]:
    """Turn the many ways in which memory runs out into one."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:  # torch.OutOfMemoryError is a RuntimeError
        if isinstance(error, RuntimeError) and not _is_memory(error):
            raise
        raise OutOfMemoryError(
            "not enough memory for a tile", got=size, remedy="name smaller ones: --tile"
        ) from error


def halving(
    most: int,
    least: int,
    attempt: Callable[[int], T],
    told: Callable[[str], None],
    what: str = "tiles of {} px from now on",
) -> T:
    """What `attempt` makes with `most`, or with half as much each time memory runs out, which is
    told as `what`.

    Raises `OutOfMemoryError` when even `least` is too much.
    """
    while True:
        try:
            return attempt(most)
        except OutOfMemoryError:
            if most // 2 < least:
                raise
        most //= 2
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        told(f"warning: out of memory; {what.format(most)}")


def _is_memory(error: RuntimeError) -> bool:
    said = str(error)
    return (
        isinstance(error, torch.OutOfMemoryError)
        or "allocate memory" in said
        or "out of memory" in said
    )
