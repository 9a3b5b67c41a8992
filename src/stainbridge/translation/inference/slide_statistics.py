"""Instance normalisation with one slide's statistics in place of each tile's.

A network that normalises every tile by its own statistics gives neighbouring tiles different
colours. Here each layer takes its statistics from tissue all over the slide, after the layers
before it took theirs, and keeps them. Chen et al. 2022, "Towards ultra-resolution neural style
transfer via thumbnail instance normalization", arXiv:2103.11784, take them from a thumbnail, whose
statistics differ; here they come from tiles at full resolution.
"""

from __future__ import annotations

from copy import deepcopy
from typing import TypeVar

import torch
from torch import Tensor, nn

Network = TypeVar("Network", bound=nn.Module)


def normalises_tiles(network: nn.Module) -> bool:
    """Return whether a network normalises each picture by its own statistics."""
    return any(isinstance(module, nn.InstanceNorm2d) for module in network.modules())


def freeze_statistics(network: Network, tiles: Tensor) -> Network:
    """Return a copy in eval mode whose instance norms keep the statistics of `tiles` (N, C, H, W).

    An output pixel then depends on no more than the network's `reach`. `network` is not changed.
    """
    copy = deepcopy(network).eval()
    norms: list[nn.BatchNorm2d] = []
    for module in list(copy.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.InstanceNorm2d):
                # Without momentum the running statistics are those of the one batch there is.
                norm = nn.BatchNorm2d(
                    child.num_features, child.eps, momentum=None, affine=False
                ).to(tiles.device)
                setattr(module, name, norm)
                norms.append(norm)
    with torch.inference_mode():
        copy(tiles)
    for norm in norms:
        norm.eval()
    return copy
