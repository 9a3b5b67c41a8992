"""What the training loop is handed: a task that owns networks, and streams of samples."""

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
    """A loss to lower with one optimiser."""

    optimiser: str
    """Name of the optimiser."""
    loss: Tensor
    """The loss, a scalar."""
    metrics: Mapping[str, Tensor] = field(default_factory=dict)
    """Further scalars to log, by name."""


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
    selection_measure: str

    def settings(self) -> Mapping[str, Any]:
        """Return what the networks are built from, as plain values."""
        ...

    def rate(self, step: int) -> float:
        """Return the factor on every optimiser's initial learning rate at `step`."""
        ...

    def inputs(self, batch: Batch) -> Mapping[str, Tensor]:
        """Return a batch's pictures, (N, C, H, W) in −1 … 1.5, to be checked before training."""
        ...

    def updates(self, batch: Batch) -> Iterator[Update]:
        """Yield the losses of one step, in turn.

        Each is followed by its optimiser's step before the next is computed.
        """
        ...

    def measure(self, batch: Batch) -> Mapping[str, float]:
        """Return numbers about a validation batch, `selection_measure` among them.

        An interruption may break it off at any point, so it changes nothing and draws no random
        numbers.
        """
        ...

    def picture(self, batch: Batch) -> npt.NDArray[np.uint8]:
        """Draw the networks' results on a validation batch, (H, W, 3)."""
        ...


class Stream(Protocol):
    """Samples by number, without end.

    Number i is always the same sample, in whatever process it is made. A sample is what
    `torch.utils.data.default_collate` can stack. Raises `InputError` for data that cannot be used.
    """

    def __getitem__(self, number: int) -> Any:
        """Return sample `number`."""
        ...
