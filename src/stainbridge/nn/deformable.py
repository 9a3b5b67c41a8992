"""The deformable networks by their configurations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from stainbridge.nn.fields import DeformableNet
from stainbridge.nn.networks import (
    DEFORMABLE_NETWORKS,
    build_network,
    find_entry,
    load_configs,
    read_config,
)


class DeformableNetConfig(Protocol):
    """Configuration of one of `DEFORMABLE_NETWORKS`, told apart by its `kind`.

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
            return load_configs(DEFORMABLE_NETWORKS)


def build_deformable(config: DeformableNetConfig) -> DeformableNet:
    """Return the untrained network of a configuration."""
    network: DeformableNet = build_network(DEFORMABLE_NETWORKS, config)
    return network


def read_deformable_config(values: Mapping[str, Any], where: object) -> DeformableNetConfig:
    """Return the configuration that plain `values`, found at `where`, describe.

    Raises `InputError` for values that describe none.
    """
    config: DeformableNetConfig = read_config(DEFORMABLE_NETWORKS, values, where)
    return config


def deformable_preset(kind: str, preset: str) -> DeformableNetConfig:
    """Return the "paper" or "small" configuration of a network."""
    config: DeformableNetConfig = find_entry(DEFORMABLE_NETWORKS, kind).load_config().preset(preset)
    return config
