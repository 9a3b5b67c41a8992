"""MIND-SSC: how similar the neighbourhoods of a pixel are to each other, whatever the contrast.

Heinrich et al. 2013, "Towards realtime multimodal fusion for image-guided interventions using
self-similarities", doi:10.1007/978-3-642-40811-3_24. In the plane the self-similarity context has
four pairs of neighbours.
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
    """Return descriptors, 0 to 1, of (N, 1, H, W) pictures, as (N, 4, H, W).

    Channel k is exp(−D_k / V). D_k is the mean squared difference of the (2·radius + 1)² patches
    around the k-th pair of neighbours, `dilation` pixels away, less the smallest of the four. V is
    the mean of the four, clipped to between a thousandth of and a thousand times its mean over the
    picture. Borders are continued.
    """
    distances = torch.cat([_patch_distance(x, *pair, radius, dilation) for pair in PAIRS], 1)
    distances = distances - distances.amin(1, keepdim=True)
    variance = distances.mean(1, keepdim=True)
    typical = variance.mean((1, 2, 3), keepdim=True).detach().clamp_min(torch.finfo(x.dtype).eps)
    return torch.exp(-distances / variance.clamp(typical * 1e-3, typical * 1e3))


def mind_distance(
    fixed: Tensor, moving: Tensor, weight: Tensor | None = None, radius: int = 2, dilation: int = 2
) -> Tensor:
    """Return the mean squared difference of the descriptors of (N, 1, H, W) pictures, as (N,).

    It is 0 for equal pictures and at most 1.
    """
    difference = mind_ssc(fixed, radius, dilation) - mind_ssc(moving, radius, dilation)
    return average_weighted(difference.square(), weight)


def _patch_distance(
    x: Tensor, a: tuple[int, int], b: tuple[int, int], radius: int, dilation: int
) -> Tensor:
    """Return the mean squared difference, (N, 1, H, W), of the patches around two neighbours."""
    padded = F.pad(x, [dilation] * 4, mode="replicate")
    squared = (
        _select_neighbours(padded, a, dilation) - _select_neighbours(padded, b, dilation)
    ).square()
    return F.avg_pool2d(F.pad(squared, [radius] * 4, mode="replicate"), 2 * radius + 1, stride=1)


def _select_neighbours(padded: Tensor, neighbour: tuple[int, int], dilation: int) -> Tensor:
    """Return one neighbour of every pixel of a picture that was padded by `dilation`."""
    rows, columns = ((1 + step) * dilation for step in neighbour)
    height, width = (size - 2 * dilation for size in padded.shape[-2:])
    return padded[..., rows : rows + height, columns : columns + width]
