"""Tiny networks that, unlike untrained ones, do something."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from stainbridge.nn.deformable import DeformableNetConfig, build_deformable
from stainbridge.nn.dirnet import DirNetConfig
from stainbridge.nn.fcn import FCNConfig
from stainbridge.nn.fields import DeformableNet
from stainbridge.nn.flownet_s import FlowNetSConfig
from stainbridge.nn.multiscale_fcn import MultiscaleFCNConfig
from stainbridge.nn.unet_svf import UNetSVFConfig

TINY: dict[str, DeformableNetConfig] = {
    "multiscale-fcn": MultiscaleFCNConfig(widths=(4, 6, 8)),
    "multiscale-fcn, correlating": MultiscaleFCNConfig(widths=(4, 6, 8), correlation=2),
    "fcn": FCNConfig(widths=(4, 6, 8)),
    "dirnet": DirNetConfig(width=4, poolings=3),
    "unet-svf": UNetSVFConfig(down=(4, 6, 8), up=(8, 6), last=(4,), squarings=4),
    "unet-svf, correlating": UNetSVFConfig(
        down=(4, 6, 8), up=(8, 6), last=(4,), squarings=4, correlation=2
    ),
    "flownet-s": FlowNetSConfig(widths=(4, 6, 8, 8), up=(8, 6), scale_weights=(0.25, 0.5, 1.0)),
}


def smooth_pictures(height: int, width: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Two pictures (1, 1, H, W) of blobs, 0 to 1."""
    noise = torch.rand(2, 1, height + 8, width + 8, generator=torch.Generator().manual_seed(seed))
    blobs = nn.functional.avg_pool2d(noise, 9, 1)
    blobs = (blobs - blobs.min()) / (blobs.max() - blobs.min())
    return blobs[:1], blobs[1:]


def build_active_network(config: DeformableNetConfig, amount_px: float = 3.0) -> DeformableNet:
    """A network in evaluation mode whose displacements reach about `amount_px`."""
    torch.manual_seed(1)
    network = build_deformable(config)
    regressions = [m for m in network.modules() if isinstance(m, nn.Conv2d) and m.out_channels == 2]
    for layer in regressions:
        nn.init.normal_(layer.weight)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # the plain mean over what it sees
    pictures = smooth_pictures(64, 96)
    with torch.no_grad():
        network(*pictures)
        network.eval()
        for _ in range(6):
            factor = amount_px / float(network(*pictures).final.abs().max())
            for layer in regressions:
                layer.weight *= factor
    return network
