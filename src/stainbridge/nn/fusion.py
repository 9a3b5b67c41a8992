"""Networks made faster for inference: the same function in fewer passes over memory."""

from __future__ import annotations

from copy import deepcopy
from itertools import pairwise
from typing import TypeVar

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

Network = TypeVar("Network", bound=nn.Module)


def fuse_for_inference(network: Network) -> Network:
    """Return a copy in eval mode that computes the same to rounding, sooner and in less memory.

    A batch normalisation behind a convolution becomes part of it, an activation behind either is
    computed in place, and weights are stored channels-last: pictures (N, C, H, W) should be too.
    Only neighbours in one `nn.Sequential` are joined: nothing else sees what is between them.
    `network` is not changed.
    """
    fused = deepcopy(network).eval().requires_grad_(False)
    for module in list(fused.modules()):
        if type(module) is nn.Sequential:
            _fuse_neighbours(module)
    return fused.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def _fuse_neighbours(layers: nn.Sequential) -> None:
    """Fuse the convolutions, normalisations and activations of a chain."""
    for index, (first, second) in enumerate(pairwise(list(layers))):
        if isinstance(first, nn.Conv2d | nn.ConvTranspose2d) and isinstance(second, nn.BatchNorm2d):
            transposed = isinstance(first, nn.ConvTranspose2d)
            layers[index] = fuse_conv_bn_eval(first, second, transpose=transposed)
            layers[index + 1] = nn.Identity()
    makers = (nn.Conv2d, nn.ConvTranspose2d, nn.BatchNorm2d)
    is_made = False
    for layer in layers:
        if isinstance(layer, nn.ReLU | nn.LeakyReLU):
            layer.inplace = is_made
        # an identity hands on what the layer before it made
        is_made = isinstance(layer, makers) or (is_made and isinstance(layer, nn.Identity))
