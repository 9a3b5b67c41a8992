"""Rows of tissue that rather fit displaced: across a seam a row goes on at some other place."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor

from stainbridge.registration.sections.seam_rows import (
    LEAST_TISSUE_PX,
    ROW_GAP,
    count_tissue,
    measure_chance,
)
from stainbridge.types import Mask, Plane

#: Displacements along a seam, at least as a share of the picture's diagonal, ...
LEAST_SHIFT = 0.01
#: ... and at most as a share of the row's length.
MOST_SHIFT = 0.15
#: Least share of the longest row that is tissue on both sides of a seam.
LEAST_EXTENT = 0.6
#: Least correlation of rows that lie as they should, in standard deviations of chance: where it is
#: lower, pixels are too coarse for what the tissue shows. Of 19 sections it is 3.6 to 6.6.
LEAST_LIKENESS = 3.5


def measure_displacement(detail: Plane, inside: Mask) -> float:
    """Return by how much two rows rather fit displaced than where they lie.

    In standard deviations of the chance that unlike rows resemble each other. `detail` (H, W) is
    the normalised density, 0 where it is not known; `inside` is where it is. It is 0 where rows
    hardly resemble each other.
    """
    detail, inside = np.ascontiguousarray(detail), np.ascontiguousarray(inside)
    height, width = detail.shape
    reach = round(MOST_SHIFT * width)
    least = max(3, round(LEAST_SHIFT * float(np.hypot(height, width))))
    count = count_tissue(inside)
    used = count >= max(LEAST_TISSUE_PX, LEAST_EXTENT * count.max(initial=0))
    if reach <= least or not used.any():
        return 0.0
    rows = torch.from_numpy(detail)
    mask = torch.from_numpy(inside.astype(np.float32))
    length = cv2.getOptimalDFTSize(width + reach + 1)
    shifts_px = torch.arange(-reach, reach + 1, device="cpu")
    shifts = shifts_px % length
    kept = torch.from_numpy(np.flatnonzero(used))

    def correlate(above: Tensor, below: Tensor) -> Tensor:
        """Return the sums over products of each used row with the lower one at every shift."""
        spectra = [
            torch.fft.rfft(part[kept + gap], length) for part, gap in ((above, 0), (below, ROW_GAP))
        ]
        sums: Tensor = torch.fft.irfft(spectra[0].conj() * spectra[1], length)[:, shifts]
        return sums

    energy = [correlate(rows.square(), mask), correlate(mask, rows.square())]
    energy = [sums.maximum(sums[:, reach : reach + 1] / 2).clamp_min(1e-3) for sums in energy]
    correlation = correlate(rows, rows) / (energy[0] * energy[1]).sqrt()
    deviation = torch.from_numpy(measure_chance(detail)[used] / np.sqrt(count[used]))
    is_own = shifts_px.abs() <= least
    own = correlation[:, is_own].amax(1)
    other = correlation[:, ~is_own].amax(1)
    if float(own.median()) < LEAST_LIKENESS * float(deviation.median()):
        return 0.0
    return max(0.0, float(((other - own.clamp_min(0)) / deviation).max()))
