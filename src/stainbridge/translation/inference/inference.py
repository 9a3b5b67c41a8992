"""A network that is handed pixels and returns pixels, on any device, from any thread."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from threading import Lock
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from stainbridge.compute import Precision
from stainbridge.errors import InputError
from stainbridge.nn.fusion import fuse_for_inference
from stainbridge.progress import Note
from stainbridge.translation.objectives.pixels import (
    match_channels,
    pixels_to_tensor,
    tensor_to_pixels,
)
from stainbridge.types import Pixels

#: torch's type of each precision.
DTYPES = {"32": torch.float32, "bf16": torch.bfloat16, "16": torch.float16}
Result = TypeVar("Result")


class OutOfMemoryError(InputError):
    """A tile does not fit into memory."""


@dataclass(frozen=True, eq=False)
class Inference:
    """A network that computes one tile at a time, whichever thread asks."""

    network: nn.Module
    """The network, in eval mode."""
    channels: int
    """Channels that it takes."""
    device: torch.device
    """Where it is."""
    precision: Precision = "32"
    """Precision of the computation."""
    _lock: Lock = field(default_factory=Lock, repr=False)

    def __call__(self, pixels: Pixels) -> npt.NDArray[np.uint8]:
        """Return what the network makes of 8-bit pixels (C, H, W).

        Raises `OutOfMemoryError` when the tile is too large for the device, `InputError` for other
        pixels.
        """
        with (
            self._lock,
            torch.inference_mode(),
            catch_out_of_memory(f"{pixels.shape[-1]} x {pixels.shape[-2]} px"),
        ):
            matched = match_channels(pixels, self.channels, "a tile")
            picture = pixels_to_tensor(matched)[None].to(self.device)
            dtype = DTYPES[self.precision]
            with torch.autocast(self.device.type, dtype, enabled=dtype is not torch.float32):
                output = self._fused(picture.contiguous(memory_format=torch.channels_last))
            return np.asarray(tensor_to_pixels(output[0]), np.uint8)

    @cached_property
    def _fused(self) -> nn.Module:
        """The network as it computes soonest."""
        return fuse_for_inference(self.network)


def translate_picture(run: Inference, period: int, pixels: Pixels) -> npt.NDArray[np.uint8]:
    """Translate a picture (C, H, W) in one piece.

    Its sides are extended by their mirror to multiples of the network's period.
    """
    height, width = pixels.shape[1:]
    padding = ((0, 0), (0, -height % period), (0, -width % period))
    padded = np.pad(pixels, padding, mode="symmetric")
    return run(padded)[:, :height, :width]


@contextmanager
def catch_out_of_memory(size: str) -> Iterator[None]:
    """Turn the many errors of too little memory into `OutOfMemoryError`."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:  # torch.OutOfMemoryError is a RuntimeError
        if isinstance(error, RuntimeError) and not _is_out_of_memory(error):
            raise
        raise OutOfMemoryError(
            "not enough memory for a tile", got=size, remedy="name smaller ones: --tile"
        ) from error


def halve_until_it_fits(
    largest: int,
    least: int,
    attempt: Callable[[int], Result],
    note: Note,
    message: str = "tiles of {} px from now on",
) -> Result:
    """Return what `attempt` makes of `largest`, or of half as much each time memory runs out.

    `note` is told each halving by `message`. Raises `OutOfMemoryError` when even `least` is too
    much.
    """
    size = largest
    while True:
        try:
            return attempt(size)
        except OutOfMemoryError:
            if size // 2 < least:
                raise
        size //= 2
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        note(f"warning: out of memory; {message.format(size)}")


def _is_out_of_memory(error: RuntimeError) -> bool:
    text = str(error)
    return (
        isinstance(error, torch.OutOfMemoryError)
        or "allocate memory" in text
        or "out of memory" in text
    )
