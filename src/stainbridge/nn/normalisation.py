"""Normalisation by name, and the initialisation used with it in pix2pix and CycleGAN."""

from __future__ import annotations

from typing import Literal, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

#: Statistics of each picture, or of a batch.
Norm: TypeAlias = Literal["instance", "batch"]


class InstanceNorm(nn.InstanceNorm2d):
    """Instance normalisation that keeps pictures (N, C, H, W) channels-last.

    torch's own changes the memory layout, and the convolutions after it lose what channels-last
    gains. Batch normalisation of a batch of one picture is instance normalisation.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` with mean 0 and variance 1 over H and W."""
        if x.is_contiguous() or not x.is_contiguous(memory_format=torch.channels_last):
            return super().forward(x)
        return torch.cat(
            [
                F.batch_norm(picture, None, None, training=True, eps=self.eps)
                for picture in torch.split(x, 1)
            ]
        )


def make_normalisation(norm: Norm, channels: int) -> nn.Module:
    """Return instance normalisation without parameters, or batch normalisation with parameters.

    Ulyanov et al. 2016, arXiv:1607.08022.
    """
    return InstanceNorm(channels) if norm == "instance" else nn.BatchNorm2d(channels)


def needs_bias(norm: Norm) -> bool:
    """Return whether a convolution before the normalisation has a bias.

    As published, it has none where batch normalisation adds its own.
    """
    return norm == "instance"


def initialise_weights(network: nn.Module, std: float = 0.02) -> None:
    """Draw the weights of a network from normal distributions of standard deviation `std`.

    Weights of convolutions and linear layers have mean 0, scales of batch normalisation mean 1;
    biases are 0 (Isola et al. 2017, arXiv:1611.07004, section 6.2).
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
