"""How far translated pictures are from real ones, in numbers and side by side."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from stainbridge.similarity.ssim import ssim
from stainbridge.translation.objectives.terms import pixelwise

#: Samples of a batch that a picture of the training shows.
SHOWN = 4
#: Range of pictures' values, −1 … 1.
VALUE_RANGE = 2.0
#: Side of the squares of `coarse_l1`, in pixels: about a nucleus at 1 µm a pixel.
COARSE_PX = 8


def picture_distances(fake: Tensor, real: Tensor) -> dict[str, float]:
    """Return `l1`, `coarse_l1`, `psnr_db` and `ssim_gaussian11`, means over pictures.

    Pictures are (N, C, H, W) in −1 … 1. `coarse_l1` compares means of 8 x 8 pixels.
    """
    fake = fake.float()
    coarse = (
        F.avg_pool2d(x, COARSE_PX, ceil_mode=True, count_include_pad=False) for x in (fake, real)
    )
    error = (fake - real).square().mean((1, 2, 3)).clamp_min(1e-12)
    similarity = ssim(fake, real, window="gaussian11", span=VALUE_RANGE)
    return {
        "l1": float(pixelwise(fake, real)),
        "coarse_l1": float(pixelwise(*coarse)),
        "psnr_db": float((10 * torch.log10(VALUE_RANGE**2 / error)).mean()),
        "ssim_gaussian11": float(similarity.mean()),
    }


def picture_rows(*columns: Tensor) -> npt.NDArray[np.uint8]:
    """Join pictures (N, C, H, W) in −1 … 1, C 1 or 3, to a row a sample: (N·H, columns·W, 3)."""
    coloured = [column.float().clamp(-1, 1).expand(-1, 3, -1, -1) for column in columns]
    rows = torch.cat(list(torch.cat(coloured, 3)), 1).permute(1, 2, 0)
    return np.asarray((127.5 * (rows + 1)).round().cpu().numpy(), np.uint8)
