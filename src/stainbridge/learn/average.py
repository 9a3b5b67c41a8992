"""The moving average of a run's weights: steadier than the last ones, where losses pull against each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from stainbridge.learn.weights import Stored

AVERAGE = "average."


class Average:
    """The exponential moving average of all parameters, `share` of it the earlier ones; of none for a share of 0.

    While there have been few steps the share is less, (1 + step) / (10 + step), so that the untrained weights are soon
    forgotten. Buffers, such as the statistics of batch normalisation, are not averaged.
    """

    def __init__(self, networks: Mapping[str, nn.Module], share: float) -> None:
        self._share = share
        self._live: dict[str, Tensor] = {}
        if share:
            for name, network in networks.items():
                self._live |= {f"{AVERAGE}{name}.{key}": p.detach() for key, p in network.named_parameters()}
        #: The averages by name, as they are stored with a run.
        self.tensors = {name: tensor.clone() for name, tensor in self._live.items()}

    def update(self, step: int) -> None:
        """Take the weights after `step` in."""
        share = min(self._share, (1 + step) / (10 + step))
        for name, tensor in self.tensors.items():
            tensor.lerp_(self._live[name], 1 - share)

    def put(self, stored: Stored) -> None:
        """Go on from a stored run's."""
        for name, tensor in self.tensors.items():
            tensor.copy_(stored.tensors[name])

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The networks have the averages instead of their weights, for a while."""
        self._exchange()
        try:
            yield
        finally:
            self._exchange()

    @torch.no_grad()
    def _exchange(self) -> None:
        for name, tensor in self.tensors.items():
            kept = self._live[name].clone()
            self._live[name].copy_(tensor)
            tensor.copy_(kept)
