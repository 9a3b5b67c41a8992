"""Where features of one picture are found again in another's.

Dosovitskiy et al. 2015, "FlowNet: learning optical flow with convolutional networks", doi:10.1109/ICCV.2015.316.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def correlations(here: Tensor, there: Tensor, distance: int) -> Tensor:
    """Cosine of features (N, C, H, W) here with those there `distance` away at most: (N, (2·distance + 1)², H, W)."""
    height, width = here.shape[-2:]
    here, there = F.normalize(here, dim=1), F.pad(F.normalize(there, dim=1), [distance] * 4)
    shifts = [(y, x) for y in range(2 * distance + 1) for x in range(2 * distance + 1)]
    return torch.stack([(here * there[..., y : y + height, x : x + width]).sum(1) for y, x in shifts], 1)
