"""Seam: a straight cut through a slide's tissue, along which one side is displaced.

A row of tissue looks like the next row but one where both lie. Across the border of two bands that
were stitched wrongly it looks like it after a shift only. One slide shows that by itself, so that
it does not matter how little two stains share.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor

from stainbridge.types import Mask, Plane

#: Longest side in pixels of the density that seams are looked for in.
SEAM_PX = 512
#: Pictures with a longer side below this are not looked at. Of 32 uncut sections of 256 px one
#: reaches 4.2; of 64 of 512 and 768 px none more than 2.9.
LEAST_SEAM_PX = 400
#: Standard deviation in pixels of the surroundings that a pixel is compared with.
SURROUNDINGS_PX = 20.0
#: Rows apart: a seam may lie inside a row.
ROW_GAP = 2
#: Displacements along a seam, at least as a share of the picture's diagonal, ...
LEAST_SHIFT = 0.01
#: ... and at most as a share of the row's length.
MOST_SHIFT = 0.15
#: Least share of the longest row that is tissue on both sides of a seam.
LEAST_EXTENT = 0.6
#: Least tissue in a row, in pixels.
LEAST_TISSUE_PX = 24
#: Least correlation of rows that lie as they should, in standard deviations of chance: where it is
#: lower, pixels are too coarse for what the tissue shows. Of 19 sections it is 3.6 to 6.6.
LEAST_LIKENESS = 3.5
#: Neighbours in a row that may resemble each other, in pixels.
CORRELATION_PX = 15


def measure_seam(density: Plane, region: Mask) -> float:
    """Return by how much rows or columns of tissue rather fit displaced, at the worst place.

    In standard deviations of the chance that unlike rows resemble each other. Seams along the
    picture's rows or columns are seen. `density` and `region` are (H, W). It is 0 where there is
    too little tissue, or where its rows hardly resemble each other.
    """
    inside = cv2.erode(region.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    detail = _normalise(density, inside)
    return max(
        _measure_rows(np.ascontiguousarray(plane), np.ascontiguousarray(mask))
        for plane, mask in ((detail, inside), (detail.T, inside.T))
    )


def _measure_rows(detail: Plane, inside: Mask) -> float:
    """Return by how much rows rather fit displaced, of normalised density and where it is known."""
    height, width = detail.shape
    reach = round(MOST_SHIFT * width)
    least = max(3, round(LEAST_SHIFT * float(np.hypot(height, width))))
    count = (inside[:-ROW_GAP] & inside[ROW_GAP:]).sum(axis=1)
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
    deviation = _measure_chance(rows, kept) / torch.from_numpy(count[used]).sqrt()
    is_own = shifts_px.abs() <= least
    own = correlation[:, is_own].amax(1)
    other = correlation[:, ~is_own].amax(1)
    if float(own.median()) < LEAST_LIKENESS * float(deviation.median()):
        return 0.0
    return max(0.0, float(((other - own.clamp_min(0)) / deviation).max()))


def _measure_chance(rows: Tensor, kept: Tensor) -> Tensor:
    """Return the deviation of the correlation of unrelated rows, times the root of their length.

    Bartlett: neighbours in a row resemble each other, so that there are fewer independent pixels.
    """
    power = torch.fft.irfft(torch.fft.rfft(rows, 2 * rows.shape[1]).abs().square())
    alike = power[:, 1 : CORRELATION_PX + 1] / power[:, :1].clamp_min(1e-6)
    both = (alike[kept] * alike[kept + ROW_GAP]).sum(1)
    return torch.sqrt(1 + 2 * both.clamp_min(0))


def _normalise(density: Plane, inside: Mask) -> Plane:
    """Return the density less its surroundings', over their spread; 0 outside the tissue."""
    mask = inside.astype(np.float32)
    plane = np.ascontiguousarray(density, np.float32)
    weight = np.maximum(cv2.GaussianBlur(mask, (0, 0), SURROUNDINGS_PX), 1e-3)
    detail = (plane - cv2.GaussianBlur(plane * mask, (0, 0), SURROUNDINGS_PX) / weight) * mask
    spread = cv2.GaussianBlur(detail * detail, (0, 0), SURROUNDINGS_PX) / weight
    return np.asarray(detail / np.sqrt(spread + 1e-4) * mask, np.float32)
