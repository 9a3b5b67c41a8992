"""The tables of networks: a new network is one new file and one line here.

A table leads from a configuration's `kind` to the configuration and the network. They are imported
when they are first asked for: the names alone, which the command line shows, cost no import of
torch or YAML.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol

from stainbridge.errors import InputError


@dataclass(frozen=True)
class NetworkEntry:
    """Where a network and its configuration are defined."""

    module: str
    """The module's dotted name."""
    network: str
    """Name of the network's class, which is called with a configuration."""
    config: str
    """Name of the configuration's class."""

    def load_network(self) -> Any:
        """Return the network's class."""
        return getattr(import_module(self.module), self.network)

    def load_config(self) -> Any:
        """Return the configuration's class."""
        return getattr(import_module(self.module), self.config)


class NetworkConfig(Protocol):
    """What every configuration of a network has."""

    @property
    def kind(self) -> str:
        """The network's name in its table."""
        ...


#: Networks from two pictures to an affine map: `stainbridge.nn.affine.AffineNetwork`.
AFFINE_NETWORKS = {
    "affine-net": NetworkEntry("stainbridge.nn.affine_net", "AffineNet", "AffineNetConfig"),
}
#: Networks from two pictures to a displacement field: `stainbridge.nn.fields.DeformableNet`.
DEFORMABLE_NETWORKS = {
    "multiscale-fcn": NetworkEntry(
        "stainbridge.nn.multiscale_fcn", "MultiscaleFCN", "MultiscaleFCNConfig"
    ),
    "fcn": NetworkEntry("stainbridge.nn.fcn", "FCN", "FCNConfig"),
    "dirnet": NetworkEntry("stainbridge.nn.dirnet", "DirNet", "DirNetConfig"),
    "unet-svf": NetworkEntry("stainbridge.nn.unet_svf", "UNetSVF", "UNetSVFConfig"),
    "flownet-s": NetworkEntry("stainbridge.nn.flownet_s", "FlowNetS", "FlowNetSConfig"),
}
#: Networks from a picture to a picture of its size: `stainbridge.nn.generators.Generator`.
GENERATORS = {
    "resnet": NetworkEntry("stainbridge.nn.resnet_generator", "ResNetGenerator", "ResNetConfig"),
    "unet": NetworkEntry("stainbridge.nn.unet_generator", "UNetGenerator", "UNetConfig"),
    "coarse-to-fine": NetworkEntry(
        "stainbridge.nn.coarse_to_fine_generator", "CoarseToFineGenerator", "CoarseToFineConfig"
    ),
}


def find_entry(
    table: Mapping[str, NetworkEntry], kind: object, where: object = None
) -> NetworkEntry:
    """Return the entry of a kind of network; raise `InputError` where there is none."""
    if not isinstance(kind, str) or kind not in table:
        raise InputError("unknown network", where=where, expected=", ".join(table), got=kind)
    return table[kind]


def load_configs(table: Mapping[str, NetworkEntry]) -> dict[str, Any]:
    """Return the classes of all configurations of a table by `kind`."""
    return {kind: entry.load_config() for kind, entry in table.items()}


def read_config(table: Mapping[str, NetworkEntry], values: Mapping[str, Any], where: object) -> Any:
    """Return the configuration that plain `values`, found at `where`, describe.

    Raises `InputError` for a `kind` that the table does not have, and as `settings.build` does.
    """
    from stainbridge.settings import build

    return build(find_entry(table, values.get("kind"), where).load_config(), values, where)


def build_network(table: Mapping[str, NetworkEntry], config: NetworkConfig) -> Any:
    """Return the untrained network of a configuration."""
    return find_entry(table, config.kind).load_network()(config)
