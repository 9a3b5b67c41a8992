"""Whether two halves of each window are displaced alike: is there a deformation to find?

Two pictures that lie on each other do not show the same. So each window fits a little better
somewhere near, by chance, and a deformation that follows raises the score. Here the pixels of a
window are divided like a chessboard, and each half finds its own displacement. What the pictures
do not share displaces the halves independently. A deformation displaces both alike.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from stainbridge.geometry.transform import Transform
from stainbridge.registration.sections.section import Section
from stainbridge.registration.verdict.verification import sample_coordinates, warp_planes
from stainbridge.types import Mask

#: Longest side in pixels of the pictures that windows are cut from.
SIZE_PX = 256
#: Side of a window in pixels. Windows lie side by side.
SIDE_PX = 12
#: Side of the squares that go to one half or the other, in pixels.
SQUARE_PX = 3
#: Farthest displacement in pixels.
REACH_PX = 5
#: Share of a window that must be tissue.
MIN_TISSUE = 0.5
#: Fewer windows say nothing.
MIN_WINDOWS = 12
#: Added to variances, so that flat windows correlate with nothing.
VARIANCE_FLOOR = 1e-3

#: Displacements (h, w, 2) of windows, as (x, y) in pixels.
Displacements = npt.NDArray[np.float64]


@torch.no_grad()
def measure_coherence(fixed: Section, moving: Section, transform: Transform) -> float:
    """Return how surely both halves of windows are displaced alike, in standard deviations.

    What an affine map explains is left out: that is no deformation. Halves that are displaced
    independently give about 0; structures of one picture that are wider than a square give up to 6.
    """
    frame, planes, outline = fixed.planes_at(SIZE_PX)
    coordinates = sample_coordinates(transform, moving, frame)
    warped = warp_planes(moving, frame, coordinates)
    first = draw_chessboard(frame.height, frame.width).to(planes)
    inside = (coordinates.abs() <= 1).all(-1)[:, None]
    usable = (_average(outline * inside)[0, 0] > MIN_TISSUE).cpu().numpy()
    (one, is_one_inside), (other, is_other_inside) = (
        find_displacements(correlate_windows(planes, warped, half)) for half in (first, 1 - first)
    )
    return compare_halves(one, other, usable & is_one_inside & is_other_inside)


def draw_chessboard(height: int, width: int) -> Tensor:
    """Return 1 on every other square of `SQUARE_PX`, else 0, (1, 1, H, W)."""
    rows, columns = torch.arange(height) // SQUARE_PX, torch.arange(width) // SQUARE_PX
    return ((rows[:, None] + columns) % 2)[None, None].float()


def correlate_windows(fixed: Tensor, moving: Tensor, weight: Tensor) -> Tensor:
    """Return the NCC of windows at all displacements, (K, K, h, w) by y and x; K = 2·reach + 1.

    Pictures are (1, C, H, W); the result is the mean of their planes. Only the pixels of the fixed
    one with `weight` (1, 1, H, W) count. Pictures are continued beyond their borders.
    """
    height, width = fixed.shape[-2:]
    wide = F.pad(moving, (REACH_PX,) * 4, mode="replicate")
    share = _average(weight).clamp_min(1e-6)

    def average(picture: Tensor) -> Tensor:
        return _average(picture * weight) / share

    def measure_variance(picture: Tensor, mean: Tensor) -> Tensor:
        return (average(picture * picture) - mean * mean).clamp_min(0) + VARIANCE_FLOOR

    fixed_mean = average(fixed)
    fixed_variance = measure_variance(fixed, fixed_mean)
    correlations = []
    for y in range(2 * REACH_PX + 1):
        for x in range(2 * REACH_PX + 1):
            shifted = wide[..., y : y + height, x : x + width]
            mean = average(shifted)
            covariance = average(fixed * shifted) - fixed_mean * mean
            variance = measure_variance(shifted, mean)
            correlations.append((covariance * torch.rsqrt(fixed_variance * variance)).mean(1))
    stacked = torch.cat(correlations)
    count = 2 * REACH_PX + 1
    return stacked.reshape(count, count, *stacked.shape[1:])


def find_displacements(correlations: Tensor) -> tuple[Displacements, Mask]:
    """Return where windows fit best, and whether that is inside the reach, (h, w).

    `correlations` are (K, K, h, w) by y and x. A parabola through the neighbours of the largest
    gives fractions of pixels.
    """
    count, _, height, width = correlations.shape
    values = correlations.double().cpu().numpy().reshape(count, count, -1)
    window = np.arange(values.shape[2])
    rows, columns = np.divmod(values.reshape(count * count, -1).argmax(0), count)
    middle_rows, middle_columns = rows.clip(1, count - 2), columns.clip(1, count - 2)
    is_peak = (rows == middle_rows) & (columns == middle_columns)
    along_x = [values[middle_rows, middle_columns + step, window] for step in (-1, 0, 1)]
    along_y = [values[middle_rows + step, middle_columns, window] for step in (-1, 0, 1)]
    x = middle_columns + _find_vertex(*along_x) - count // 2
    y = middle_rows + _find_vertex(*along_y) - count // 2
    return np.stack([x, y], -1).reshape(height, width, 2), is_peak.reshape(height, width)


def compare_halves(first: Displacements, second: Displacements, usable: Mask) -> float:
    """Return how surely two fields of displacements agree, in standard deviations.

    Fields are (h, w, 2), `usable` (h, w). What affine maps explain is left out. The mean product
    of independent displacements is 0. 0 where too few windows are usable.
    """
    if usable.sum() < MIN_WINDOWS:
        return 0.0
    products = (_remove_affine(first, usable) * _remove_affine(second, usable)).sum(-1)
    spread = float(np.sqrt(np.square(products).sum()))
    return float(products.sum()) / spread if spread else 0.0


def _average(picture: Tensor) -> Tensor:
    """Return means of windows, (..., h, w)."""
    return F.avg_pool2d(picture, SIDE_PX)


def _remove_affine(displacements: Displacements, usable: Mask) -> Displacements:
    """Return what the best affine map leaves of the usable displacements, (N, 2)."""
    rows, columns = np.nonzero(usable)
    places = np.stack([np.ones(len(rows)), columns, rows], -1)
    fit, *_ = np.linalg.lstsq(places, displacements[usable], rcond=None)
    return np.asarray(displacements[usable] - places @ fit)


def _find_vertex(
    before: npt.NDArray[np.float64], peak: npt.NDArray[np.float64], after: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return where the parabola through three values is largest, −0.5 to 0.5 from the middle."""
    bend = np.minimum(before - 2 * peak + after, -1e-9)
    return np.asarray(((before - after) / (2 * bend)).clip(-0.5, 0.5))
