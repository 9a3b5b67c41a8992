"""Normalisation by name, and the initialisation that goes with it, as in pix2pix and CycleGAN."""

from __future__ import annotations

from typing import Literal, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Norm: TypeAlias = Literal["instance", "batch"]


class InstanceNorm(nn.InstanceNorm2d):
    """Instance normalisation that keeps pictures (N, C, H, W) channels-last.

    torch's own lays them out anew, and the convolutions after it lose what the layout gains. A
    batch of one picture has its statistics.
    """

    def forward(self, x: Tensor) -> Tensor:
        """X with mean 0 and variance 1 over H and W."""
        if x.is_contiguous() or not x.is_contiguous(memory_format=torch.channels_last):
            return super().forward(x)
        return torch.cat(
            [
                F.batch_norm(one, None, None, training=True, eps=self.eps)
                for one in torch.split(x, 1)
            ]
        )


def normalisation(norm: Norm, channels: int) -> nn.Module:
    """Instance normalisation without parameters (Ulyanov et al.

    2016), or batch normalisation with them.
    """
    return InstanceNorm(channels) if norm == "instance" else nn.BatchNorm2d(channels)


def needs_bias(norm: Norm) -> bool:
    """Whether a convolution before the normalisation has a bias: as published, not where batch norm
    adds its own.
    """
    return norm == "instance"


def initialise(network: nn.Module, std: float = 0.02) -> None:
    """Weights of convolutions and linear layers N(0, `std`), scales of batch normalisation N(1,
    `std`), biases 0.

    Isola et al. 2017, arXiv:1611.07004, section 6.2.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(module.weight, 0.0, std)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, std)
        else:
            continue
        if module.bias is not None:
            nn.init.zeros_(module.bias)
