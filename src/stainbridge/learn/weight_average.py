"""The moving average of a run's weights: steadier than the last ones, where losses pull against
each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from stainbridge.errors import InputError
from stainbridge.learn.weights import StoredWeights

AVERAGE_PREFIX = "average."


class WeightAverage:
    """The exponential moving average of all parameters, `share` of it the earlier ones; of none for
    a share of 0.

    While there have been few steps the share is less, (1 + step) / (10 + step), so that the
    untrained weights are soon forgotten. The statistics of batch normalisation are averaged alike:
    its own, of the last few batches, do not go with averaged weights. Other buffers are left as
    they are.
    """

    def __init__(self, networks: Mapping[str, nn.Module], share: float) -> None:
        self._share = share
        self._live: dict[str, Tensor] = {}
        if share:
            for name, network in networks.items():
                self._live |= {
                    f"{AVERAGE_PREFIX}{name}.{key}": tensor.detach() for key, tensor in _averaged(network)
                }
        #: The averages by name, as they are stored with a run.
        self.tensors = {name: tensor.clone() for name, tensor in self._live.items()}

    def update(self, step: int) -> None:
        """Take the weights after `step` in."""
        share = min(self._share, (1 + step) / (10 + step))
        for name, tensor in self.tensors.items():
            tensor.lerp_(self._live[name], 1 - share)

    def put(self, stored: StoredWeights) -> None:
        """Go on from a stored run's.

        Raises `InputError` for a run that did not average what this one does.
        """
        missing = next((name for name in self.tensors if name not in stored.tensors), None)
        if missing:
            remedy = "begin a new run, with --init to keep the weights"
            raise InputError(
                "the run keeps no average of a tensor",
                where=stored.path,
                got=missing,
                remedy=remedy,
            )
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


def _averaged(network: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """All parameters, and the statistics of batch normalisation, by name."""
    yield from network.named_parameters()
    for name, module in network.named_modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            yield from (
                (f"{name}.{key}", buffer)
                for key, buffer in module.named_buffers()
                if buffer.is_floating_point()
            )
