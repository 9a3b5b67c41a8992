"""Otsu's threshold of pictures in memory, for many at once.

Otsu 1979, "A threshold selection method from gray-level histograms",
doi:10.1109/TSMC.1979.4310076.
"""

from __future__ import annotations

import torch
from torch import Tensor

#: Bins of the histogram that the threshold is sought in.
BINS = 256


@torch.no_grad()
def find_otsu_threshold(pictures: Tensor) -> Tensor:
    """Return the threshold of each picture (N, C, H, W) in 0 … 1 that parts it best, (N, C, 1, 1).

    It maximises the variance between the values below and above. Where a whole range of thresholds
    does, it is the middle of the range. It has no gradient: a histogram counts.
    """
    values = pictures.flatten(2).float()
    index = (values * BINS).long().clamp(0, BINS - 1)
    ones = torch.ones_like(values)
    counts = values.new_zeros(*values.shape[:2], BINS).scatter_add_(2, index, ones)
    shares = counts / counts.sum(2, keepdim=True)
    centres = (torch.arange(BINS, device=values.device, dtype=values.dtype) + 0.5) / BINS
    below = shares.cumsum(2)
    moment = (shares * centres).cumsum(2)
    between = (moment[..., -1:] * below - moment).square() / (below * (1 - below)).clamp_min(1e-9)
    is_best = between >= between.amax(2, keepdim=True) * (1 - 1e-6)
    edges = (torch.arange(BINS, device=values.device, dtype=values.dtype) + 1) / BINS
    first = torch.where(is_best, edges, torch.inf).amin(2)
    last = torch.where(is_best, edges, -torch.inf).amax(2)
    return ((first + last) / 2)[..., None, None]
