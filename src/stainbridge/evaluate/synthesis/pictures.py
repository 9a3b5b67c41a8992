"""How similar two pictures are, in the three numbers that CycGANRegNet reports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from stainbridge.metrics.images import (
    FLAT_VARIANCE,
    normalised_mutual_information,
    ssim_gaussian11,
)
from stainbridge.similarity.ncc import ncc
from stainbridge.types import Pixels

#: Range of the values of 8-bit pixels.
SPAN = 255.0


@dataclass(frozen=True)
class PictureScores:
    """Similarity of two pictures of one size; NCC and NMI are of the mean of the channels."""

    ncc: float
    """Pearson's coefficient."""
    ssim: float
    """SSIM with 11 x 11 Gaussian windows, σ 1.5 (Wang et al. 2004)."""
    nmi: float
    """(H(A) + H(B)) / H(A, B), 1 to 2, with 100 bins; nan for two flat pictures."""


def score_pictures(a: Pixels, b: Pixels) -> PictureScores:
    """Compare two pictures (C, H, W) of 8 bits; with unlike channels their means are compared."""
    grey_a, grey_b = (pixels.mean(axis=0, dtype=np.float64) for pixels in (a, b))
    tensor_a, tensor_b = (torch.from_numpy(grey / SPAN)[None, None] for grey in (grey_a, grey_b))
    a, b = (a, b) if len(a) == len(b) else (grey_a[None], grey_b[None])
    return PictureScores(
        ncc=float(ncc(tensor_a, tensor_b, noise=FLAT_VARIANCE)),
        ssim=ssim_gaussian11(a, b, SPAN),
        nmi=normalised_mutual_information(grey_a.ravel(), grey_b.ravel()),
    )


def average_scores(scores: Sequence[PictureScores]) -> PictureScores | None:
    """Return the mean of scores, None of none; an NMI that is nan is left out of its mean."""
    if not scores:
        return None
    defined = [item.nmi for item in scores if np.isfinite(item.nmi)]
    return PictureScores(
        float(np.mean([item.ncc for item in scores])),
        float(np.mean([item.ssim for item in scores])),
        float(np.mean(defined)) if defined else float("nan"),
    )
