"""Compare the DAB stain of two pictures: where it is, and how much."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stainbridge.errors import InputError
from stainbridge.imaging.deconvolution import DAB, HAEMATOXYLIN, stain_densities
from stainbridge.metrics.masks import select_mask
from stainbridge.metrics.segmentations import dice
from stainbridge.types import Mask, Pixels

#: Optical density to base 10 from which DAB counts as positive.
POSITIVE_DENSITY = 0.2


@dataclass(frozen=True)
class DabScores:
    """The DAB of two pictures and how it agrees."""

    mean_density_a: float
    """Mean optical density to base 10 in the first picture."""
    mean_density_b: float
    """The same in the second picture."""
    positive_share_a: float
    """Share of the first picture that is positive."""
    positive_share_b: float
    """The same of the second picture."""
    density_correlation: float
    """Pearson's coefficient of the densities; nan where a picture has one value only."""
    positive_dice: float
    """Dice's overlap of the positive areas; nan where neither picture has any."""


def dab_density(rgb: Pixels) -> npt.NDArray[np.float32]:
    """Return the optical density of DAB to base 10, (H, W) ≥ 0, in (3, H, W) 8-bit RGB.

    The counterstain is haematoxylin.
    """
    return np.asarray(np.clip(stain_densities(rgb, HAEMATOXYLIN, DAB)[1], 0, None))


def score_dab(
    a: Pixels, b: Pixels, mask: Mask | None = None, threshold: float = POSITIVE_DENSITY
) -> DabScores:
    """Compare the DAB of two (3, H, W) 8-bit RGB pictures, or of their part in `mask`, (H, W).

    Raises `InputError` for other pixels, sizes that differ, or an empty mask.
    """
    if a.shape != b.shape:
        raise InputError("the pictures do not have the same size", expected=a.shape, got=b.shape)
    selected = select_mask(mask, a.shape[1:])
    density_a = dab_density(a)[selected]
    density_b = dab_density(b)[selected]
    positive_a = density_a > threshold
    positive_b = density_b > threshold
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
