"""Whether windows that share no pixel are displaced alike: is there a deformation to find?

Two pictures that lie on each other do not show the same. So each window fits a little better
somewhere near, by chance, and a deformation that follows raises the score. Such displacements of
windows without a common pixel do not agree. A deformation of tissue moves neighbours alike.

The measure is the spatial autocorrelation of displacements (Moran 1950,
doi:10.1093/biomet/37.1-2.17), here with the spread that independent windows give.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from stainbridge.geometry.transform import Transform
from stainbridge.nn.correlation import window_correlations
from stainbridge.registration.sections.section import Section
from stainbridge.registration.verdict.verification import sample_coordinates, warp_planes
from stainbridge.types import Mask

#: Longest side in pixels of the pictures that windows are cut from.
SIZE_PX = 256
#: Radius of a window in pixels. Windows lie side by side.
RADIUS_PX = 6
#: Farthest displacement in pixels.
REACH_PX = 7
#: Share of a window that must be tissue.
MIN_TISSUE = 0.5
#: Fewer windows say nothing.
MIN_WINDOWS = 12

#: Displacements (h, w, 2) of windows, as (x, y) in pixels.
Displacements = npt.NDArray[np.float64]


@torch.no_grad()
def measure_coherence(fixed: Section, moving: Section, transform: Transform) -> float:
    """Return by how much neighbouring windows are displaced alike, in standard deviations.

    What an affine map explains is left out: that is no deformation. Windows that are displaced
    independently give about 0, with a standard deviation of about 1.
    """
    frame, planes, outline = fixed.planes_at(SIZE_PX)
    coordinates = sample_coordinates(transform, moving, frame)
    warped = warp_planes(moving, frame, coordinates)
    correlations = window_correlations(
        planes.transpose(0, 1), warped.transpose(0, 1), REACH_PX, RADIUS_PX
    ).mean(0)
    weight = outline * (coordinates.abs() <= 1).all(-1)[:, None]
    covered = torch.nn.functional.avg_pool2d(weight, 2 * RADIUS_PX + 1)[0, 0]
    step = 2 * RADIUS_PX + 1
    height, width = covered.shape
    windows = correlations[:, RADIUS_PX::step, RADIUS_PX::step][:, :height, :width]
    displacements, is_inside = find_displacements(windows)
    usable = is_inside & (covered > MIN_TISSUE).cpu().numpy()
    return correlate_neighbours(displacements, usable)


def find_displacements(correlations: Tensor) -> tuple[Displacements, Mask]:
    """Return where windows fit best, and whether that is inside the reach, (h, w).

    `correlations` are (K², h, w), as `window_correlations` orders them. A parabola through the
    neighbours gives fractions of pixels.
    """
    count = round(correlations.shape[0] ** 0.5)
    grid = correlations.cpu().double().numpy().reshape(count, count, *correlations.shape[1:])
    best = grid.reshape(count * count, -1).argmax(0)
    rows, columns = np.divmod(best, count)
    is_inside = (rows > 0) & (rows < count - 1) & (columns > 0) & (columns < count - 1)
    flat = grid.reshape(count, count, -1)
    rows_in = rows.clip(1, count - 2)
    columns_in = columns.clip(1, count - 2)
    window = np.arange(flat.shape[2])
    peak = flat[rows_in, columns_in, window]
    x = columns_in + _find_vertex(
        flat[rows_in, columns_in - 1, window], peak, flat[rows_in, columns_in + 1, window]
    )
    y = rows_in + _find_vertex(
        flat[rows_in - 1, columns_in, window], peak, flat[rows_in + 1, columns_in, window]
    )
    shape = correlations.shape[1:]
    return np.stack([x, y], -1).reshape(*shape, 2) - count // 2, is_inside.reshape(shape)


def correlate_neighbours(displacements: Displacements, usable: Mask) -> float:
    """Return how much neighbours agree beyond an affine map, in standard deviations.

    `displacements` are (h, w, 2), `usable` (h, w). The products of neighbours' displacements have
    a mean of 0 where windows are independent. 0 where too few windows are usable.
    """
    if usable.sum() < MIN_WINDOWS:
        return 0.0
    rest = _remove_affine(displacements, usable)
    across = (rest[:, 1:] * rest[:, :-1]).sum(-1)[usable[:, 1:] & usable[:, :-1]]
    down = (rest[1:] * rest[:-1]).sum(-1)[usable[1:] & usable[:-1]]
    products = np.concatenate([across, down])
    spread = float(np.sqrt(np.square(products).sum()))
    return float(products.sum()) / spread if spread else 0.0


def _remove_affine(displacements: Displacements, usable: Mask) -> Displacements:
    """Return what the affine map that fits the usable displacements best leaves of all."""
    rows, columns = np.indices(usable.shape)
    places = np.stack([np.ones(usable.shape), columns, rows], -1)
    fit, *_ = np.linalg.lstsq(places[usable], displacements[usable], rcond=None)
    rest: Displacements = displacements - places @ fit
    return rest


def _find_vertex(
    before: npt.NDArray[np.float64], peak: npt.NDArray[np.float64], after: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return where the parabola through three values is largest, −0.5 to 0.5 from the middle."""
    bend = before - 2 * peak + after
    slope = (after - before) / 2
    vertex = np.where(bend < 0, -slope / np.where(bend < 0, bend, 1), 0.0)
    return np.asarray(vertex.clip(-0.5, 0.5))
