"""A moving average of a run's weights, which is steadier than the weights of the last step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from stainbridge.errors import InputError
from stainbridge.learn.weights import StoredWeights

#: What the names of averaged tensors begin with in a file.
AVERAGE_PREFIX = "average."


class WeightAverage:
    """The exponential moving average of all parameters; empty for a `decay` of 0.

    `decay` is the weight of the earlier steps. In the first steps it is (1 + step) / (10 + step)
    where that is less, so that the untrained weights are soon forgotten. The statistics of batch
    normalisation are averaged too, because those of the last few batches do not fit averaged
    weights. Other buffers are left as they are.
    """

    def __init__(self, networks: Mapping[str, nn.Module], decay: float) -> None:
        self._decay = decay
        self._weights: dict[str, Tensor] = {}
        if decay:
            for name, network in networks.items():
                self._weights |= {
                    f"{AVERAGE_PREFIX}{name}.{key}": tensor.detach()
                    for key, tensor in _iterate_averaged_tensors(network)
                }
        #: The averages by name, as they are stored with a run.
        self.tensors = {name: tensor.clone() for name, tensor in self._weights.items()}

    def update(self, step: int) -> None:
        """Include the weights after `step`."""
        decay = min(self._decay, (1 + step) / (10 + step))
        for name, tensor in self.tensors.items():
            tensor.lerp_(self._weights[name], 1 - decay)

    def restore(self, stored: StoredWeights) -> None:
        """Continue from the averages of a stored run.

        Raises `InputError` for a run that did not average every tensor that this one averages.
        """
        missing = next((name for name in self.tensors if name not in stored.tensors), None)
        if missing:
            raise InputError(
                "the run keeps no average of a tensor",
                where=stored.path,
                got=missing,
                remedy="begin a new run, with --init to keep the weights",
            )
        for name, tensor in self.tensors.items():
            tensor.copy_(stored.tensors[name])

    @contextmanager
    def apply(self) -> Iterator[None]:
        """Give the networks the averages instead of their weights while the context lasts."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    @torch.no_grad()
    def _swap(self) -> None:
        for name, tensor in self.tensors.items():
            weights = self._weights[name].clone()
            self._weights[name].copy_(tensor)
            tensor.copy_(weights)


def _iterate_averaged_tensors(network: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Yield all parameters and the statistics of batch normalisation, by name."""
    yield from network.named_parameters()
    for name, module in network.named_modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            yield from (
                (f"{name}.{key}", buffer)
                for key, buffer in module.named_buffers()
                if buffer.is_floating_point()
            )
