"""Halving and doubling of feature maps through low-pass filters, without parameters.

Zhang 2019, "Making convolutional networks shift-invariant again", arXiv:1904.11486; used by CUT
(Park et al. 2020, arXiv:2007.15651) and by Synth-by-Reg's generator.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

#: The binomial filter along one axis; its outer product with itself is the filter of a plane.
BINOMIAL = (0.25, 0.5, 0.25)


class BlurPool(nn.Module):
    """(N, C, H, W) with even sides to (N, C, H / 2, W / 2).

    A 3 x 3 binomial filter on reflected borders, and every second pixel. The filter is no part of
    the network's weights, so files of weights stay as they are.
    """

    kernel: Tensor

    def __init__(self) -> None:
        super().__init__()
        line = torch.tensor(BINOMIAL)
        self.register_buffer("kernel", torch.outer(line, line)[None, None], persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return the blurred maps at half the resolution."""
        channels = x.shape[1]
        kernel = self.kernel.to(x.dtype).expand(channels, 1, -1, -1)
        padded = F.pad(x, (1, 1, 1, 1), mode="reflect")
        return F.conv2d(padded, kernel, stride=2, groups=channels)


class BlurUpsample(nn.Module):
    """(N, C, H, W) to (N, C, 2 H, 2 W).

    Bilinear interpolation, which is the published filter of 4 x 4 pixels, (1, 3, 3, 1) along each
    axis, on repeated borders.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return the interpolated maps at twice the resolution."""
        return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
