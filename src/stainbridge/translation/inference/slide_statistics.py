"""Instance normalisation with one slide's statistics in place of each tile's.

A network that normalises every tile by its own statistics gives neighbouring tiles different
colours. Here each layer's statistics are those of tissue from all over the slide, the layers before
it using theirs already, and then stay: Chen et al. 2022, "Towards ultra-resolution neural style
transfer via thumbnail instance normalization", arXiv:2103.11784, from tiles at full resolution
instead of a thumbnail, whose statistics are others.
"""

from __future__ import annotations

from copy import deepcopy
from typing import TypeVar

import torch
from torch import Tensor, nn

Network = TypeVar("Network", bound=nn.Module)


def normalises_tiles(network: nn.Module) -> bool:
    """Whether what a network makes of a place depends on the whole picture that it is shown."""
    return any(isinstance(module, nn.InstanceNorm2d) for module in network.modules())


def with_statistics_of(network: Network, tiles: Tensor) -> Network:
    """A copy in eval mode whose instance norms have the statistics of `tiles` (N, C, H, W)
    together, and keep them.

    What it makes of a place then depends on no more than its `reach`. `network` stays as it is.
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
