"""The affine networks by their configurations."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from torch import Tensor, nn

from stainbridge.nn.networks import AFFINE_NETWORKS, build_network, load_configs, read_config


class AffineNetwork(nn.Module, ABC):
    """Fixed and moving pictures, (N, 1, H, W) each, to affine matrices (N, 2, 3).

    A matrix takes fixed points to moving points, in units of half the longer side about the
    picture's middle, so that a rotation is a rotation at any aspect.
    """

    @abstractmethod
    def forward(self, fixed: Tensor, moving: Tensor) -> Tensor:
        """Return the matrices, (N, 2, 3); one fixed picture may serve for all moving ones."""


class AffineNetworkConfig(Protocol):
    """Configuration of one of `AFFINE_NETWORKS`, told apart by its `kind`.

    A settings field of this type may hold any of them: `settings.build` asks `kinds`.
    """

    @property
    def kind(self) -> str:
        """The network's name in the table."""
        ...

    if not TYPE_CHECKING:  # configurations need not have it

        @classmethod
        def kinds(cls) -> dict[str, Any]:
            """Return the configurations by `kind`."""
            return load_configs(AFFINE_NETWORKS)


def build_affine(config: AffineNetworkConfig) -> AffineNetwork:
    """Return the untrained network of a configuration."""
    network: AffineNetwork = build_network(AFFINE_NETWORKS, config)
    return network


def read_affine_config(values: Mapping[str, Any], where: object) -> AffineNetworkConfig:
    """Return the configuration that plain `values`, found at `where`, describe.

    Raises `InputError` for values that describe none.
    """
    config: AffineNetworkConfig = read_config(AFFINE_NETWORKS, values, where)
    return config
