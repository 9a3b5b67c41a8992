"""Does the stain agree? Brown where brown belongs, and as much of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stainbridge.errors import InputError
from stainbridge.imaging.deconvolution import DAB, HAEMATOXYLIN, stain_densities
from stainbridge.metrics.counted import counted
from stainbridge.metrics.segmentations import dice
from stainbridge.types import Mask, Pixels

#: Optical density to base 10 from which DAB counts as positive.
POSITIVE = 0.2


@dataclass(frozen=True)
class DabScores:
    """DAB of two pictures: mean optical density (base 10), share of positive area, and how they
    agree.

    `density_correlation`: Pearson's coefficient of the densities (nan where one picture has but one
    value); `positive_dice`: Dice of the positive areas (nan where neither picture has any).
    """

    mean_density_a: float
    mean_density_b: float
    positive_share_a: float
    positive_share_b: float
    density_correlation: float
    positive_dice: float


def dab_density(rgb: Pixels) -> npt.NDArray[np.float32]:
    """Optical density of DAB to base 10, (H, W), ≥ 0, of (3, H, W) 8-bit RGB with haematoxylin as
    counterstain.
    """
    return np.asarray(np.clip(stain_densities(rgb, HAEMATOXYLIN, DAB)[1], 0, None))


def score_dab(
    a: Pixels, b: Pixels, mask: Mask | None = None, threshold: float = POSITIVE
) -> DabScores:
    """Compare the DAB of two (3, H, W) 8-bit RGB pictures, or of the part of them in `mask`, (H,
    W).

    Raises `InputError` for other pixels, sizes that differ, or an empty mask.
    """
    if a.shape != b.shape:
        raise InputError("the pictures do not have the same size", expected=a.shape, got=b.shape)
    chosen = counted(mask, a.shape[1:])
    density_a, density_b = dab_density(a)[chosen], dab_density(b)[chosen]
    positive_a, positive_b = density_a > threshold, density_b > threshold
    return DabScores(
        mean_density_a=float(density_a.mean(dtype=np.float64)),
        mean_density_b=float(density_b.mean(dtype=np.float64)),
        positive_share_a=float(positive_a.mean()),
        positive_share_b=float(positive_b.mean()),
        density_correlation=_correlation(density_a, density_b),
        positive_dice=_positive_dice(positive_a, positive_b),
    )


def _correlation(a: npt.NDArray[np.float32], b: npt.NDArray[np.float32]) -> float:
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan")
    return float(np.corrcoef(a, b)[0, 1])


def _positive_dice(a: npt.NDArray[np.bool_], b: npt.NDArray[np.bool_]) -> float:
    return dice(a[None], b[None]) if a.any() or b.any() else float("nan")
