"""MIND-SSC: what a picture's neighbourhoods look like to each other, whatever its contrast.

Heinrich et al. 2013, "Towards realtime multimodal fusion for image-guided interventions using
self-similarities", doi:10.1007/978-3-642-40811-3_24; in the plane, where the self-similarity
context has four pairs of neighbours.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from stainbridge.similarity.average import average_weighted

#: Pairs of the four neighbours, as (rows, columns) from the pixel, that are each other's diagonal
#: neighbours.
PAIRS = (((-1, 0), (0, 1)), ((0, 1), (1, 0)), ((1, 0), (0, -1)), ((0, -1), (-1, 0)))


def mind_ssc(x: Tensor, radius: int = 2, dilation: int = 2) -> Tensor:
    """Descriptors, 0 to 1, of (N, 1, H, W) pictures, as (N, 4, H, W).

    Channel k is exp(−D_k / V): D_k the mean squared difference of (2·radius + 1)² patches around
    the k-th pair of neighbours `dilation` pixels off, less the smallest of the four; V their mean,
    held within a thousandth and a thousandfold of its mean over the picture. Borders are continued.
    """
    distances = torch.cat([_patch_distance(x, *pair, radius, dilation) for pair in PAIRS], 1)
    distances = distances - distances.amin(1, keepdim=True)
    variance = distances.mean(1, keepdim=True)
    typical = variance.mean((1, 2, 3), keepdim=True).detach().clamp_min(torch.finfo(x.dtype).eps)
    return torch.exp(-distances / variance.clamp(typical * 1e-3, typical * 1e3))


def mind_distance(
    fixed: Tensor, moving: Tensor, weight: Tensor | None = None, radius: int = 2, dilation: int = 2
) -> Tensor:
    """Mean squared difference of the descriptors of (N, 1, H, W) pictures, as (N,): 0 the same, at
    most 1.
    """
    difference = mind_ssc(fixed, radius, dilation) - mind_ssc(moving, radius, dilation)
    return average_weighted(difference.square(), weight)


def _patch_distance(
    x: Tensor, a: tuple[int, int], b: tuple[int, int], radius: int, dilation: int
) -> Tensor:
    """Mean squared difference of the patches around neighbours `a` and `b` of every pixel, (N, 1,
    H, W).
    """
    padded = F.pad(x, [dilation] * 4, mode="replicate")
    squared = (_shifted(padded, a, dilation) - _shifted(padded, b, dilation)).square()
    return F.avg_pool2d(F.pad(squared, [radius] * 4, mode="replicate"), 2 * radius + 1, stride=1)


def _shifted(padded: Tensor, neighbour: tuple[int, int], dilation: int) -> Tensor:
    """The neighbours of a picture that was padded by `dilation`."""
    rows, columns = ((1 + step) * dilation for step in neighbour)
    height, width = (size - 2 * dilation for size in padded.shape[-2:])
    return padded[..., rows : rows + height, columns : columns + width]
