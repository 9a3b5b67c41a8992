"""The deformable networks by name."""

from __future__ import annotations

from typing import Literal, TypeAlias

from stainbridge.nn.dirnet import DirNet, DirNetConfig
from stainbridge.nn.fcn import FCN, FCNConfig
from stainbridge.nn.fields import DeformableNet
from stainbridge.nn.multiscale_fcn import MultiscaleFCN, MultiscaleFCNConfig
from stainbridge.nn.unet_svf import UNetSVF, UNetSVFConfig

DeformableNetName = Literal["multiscale-fcn", "fcn", "dirnet", "unet-svf"]
DeformableNetConfig: TypeAlias = MultiscaleFCNConfig | FCNConfig | DirNetConfig | UNetSVFConfig

CONFIGS: dict[DeformableNetName, type[DeformableNetConfig]] = {
    "multiscale-fcn": MultiscaleFCNConfig,
    "fcn": FCNConfig,
    "dirnet": DirNetConfig,
    "unet-svf": UNetSVFConfig,
}


def deformable_net(config: DeformableNetConfig) -> DeformableNet:
    """The untrained network of a configuration."""
    match config:
        case MultiscaleFCNConfig():
            return MultiscaleFCN(config)
        case FCNConfig():
            return FCN(config)
        case DirNetConfig():
            return DirNet(config)
        case UNetSVFConfig():
            return UNetSVF(config)
