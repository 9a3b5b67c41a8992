"""What the training loop is handed: a task that owns networks, and a stream of samples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn
from torch.optim import Optimizer

Batch = TypeVar("Batch", contravariant=True)


@dataclass(frozen=True, eq=False)
class Update:
    """A loss (scalar) to lower with one optimiser, and what to log beside it."""

    optimiser: str
    loss: Tensor
    metrics: Mapping[str, Tensor] = field(default_factory=dict)


class Task(Protocol[Batch]):
    """Owns networks and optimisers, and knows what a batch means to them.

    Everything that lasts from step to step is in a network's parameters and buffers or in an
    optimiser: these are stored, nothing else. `name` and `settings()` say in a file of weights what
    they are weights of.
    """

    name: str
    networks: Mapping[str, nn.Module]
    optimisers: Mapping[str, Optimizer]
    #: The measure by which the best weights are chosen; lower is better.
    best_by: str

    def settings(self) -> Mapping[str, Any]:
        """What the networks are built from, as plain values."""
        ...

    def rate(self, step: int) -> float:
        """Factor on every optimiser's initial learning rate at `step`."""
        ...

    def inputs(self, batch: Batch) -> Mapping[str, Tensor]:
        """The pictures of a batch, (N, C, H, W) in −1 … 1.5, for a check before training."""
        ...

    def updates(self, batch: Batch) -> Iterator[Update]:
        """The losses of one step, in turn; each is followed by its optimiser's step before the next
        is computed.
        """
        ...

    def measure(self, batch: Batch) -> Mapping[str, float]:
        """Numbers about a held-out batch, `best_by` among them."""
        ...

    def picture(self, batch: Batch) -> npt.NDArray[np.uint8]:
        """What the networks make of a held-out batch, (H, W, 3)."""
        ...


class Stream(Protocol):
    """Samples by number, without end: number i is always the same sample, in whatever process it is
    made.

    A sample is what `torch.utils.data.default_collate` can stack. Raises `InputError` for data that
    cannot be used.
    """

    def __getitem__(self, number: int) -> Any:
        """Sample `number`."""
        ...
