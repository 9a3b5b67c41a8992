"""Measure misfit: tissue that would clearly fit better elsewhere than where a registration puts it.

Bands of a slide that was stitched wrongly, a fold, a displaced flap: no smooth transform is right
there, and the rest agrees so well that the whole looks right. A deformation raises the similarity
of any place, so that what lies there now says little. What says more is whether another place
stands out. Therefore regions of tissue, strips and rectangles, are compared with all places about
them under the affine placement, where nothing is deformed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt
from torch import Tensor

from stainbridge.geometry.frame import Frame
from stainbridge.geometry.transform import Affine, Transform
from stainbridge.registration.sections.section import Section
from stainbridge.registration.verdict.misfit import Misfit
from stainbridge.registration.verdict.verification import (
    sample_coordinates,
    shrink_region,
    warp_planes,
)
from stainbridge.similarity.lncc import normalise_locally

#: Longest side in pixels of the frame that is looked at.
SIZE_PX = 192
#: Radius in pixels of the windows that grey values are normalised in.
NORMAL_RADIUS_PX = 7
#: Side in pixels of the cells that regions are made of.
CELL_PX = 6
#: Rows and columns of cells of the regions; strips are as long as the frame.
WHOLE = 1000
REGIONS = (
    (4, WHOLE),
    (6, WHOLE),
    (12, WHOLE),
    (WHOLE, 6),
    (WHOLE, 10),
    (WHOLE, 16),
    (8, 10),
    (6, 16),
    (12, 12),
)
#: Distance between regions of one size, in cells.
REGION_STEP = 2
#: Least share of a region that is tissue, and of the tissue that a region has.
LEAST_TISSUE = 0.4
LEAST_SHARE = 0.04
#: Shifts to other places, in pixels, at most: nearly a quarter of the frame.
REACH_PX = 44
#: Steps between shifts, in pixels.
SHIFT_STEP_PX = 2
#: Places from this many pixels on are others: about 0.025 of the tissue's diagonal.
OTHER_PLACE_PX = 6.0
#: Places up to this many pixels from where the deformation puts a cell are the cell's own.
OWN_PLACE_PX = 3.0
#: Standard deviations by which another place stands out from all others. Of 20 genuine pairs none
#: reached more than 6.2; of wrongly stitched ones most reach 7 to 16.
LEAST_PROMINENCE = 6.5
#: Least standard deviation of chance, for tissue that shows nothing.
LEAST_DEVIATION = 1e-3

Cells = npt.NDArray[np.float32]  # (rows, columns)
Flags = npt.NDArray[np.bool_]  # (rows, columns)
Shifts = npt.NDArray[np.int64]  # (N, 2), x and y in pixels


def measure_misfit(fixed: Section, moving: Section, affine: Affine, transform: Transform) -> Misfit:
    """Compare where regions of the fixed tissue lie with other places near and farther off.

    `affine` is the placement that `transform` grew from. Where there is too little tissue to tell,
    the share is 0.
    """
    frame = fixed.frame.fit(SIZE_PX)
    if min(frame.height, frame.width) < CELL_PX:
        return Misfit(0.0, ())
    tissue = shrink_region(fixed, frame).astype(np.float32)
    target = _normalise(fixed.planes_at(SIZE_PX)[1]) * tissue
    coordinates = sample_coordinates(affine, moving, frame)
    is_seen = (coordinates[0].abs() <= 1).all(-1).cpu().numpy()
    placed = _normalise(warp_planes(moving, frame, coordinates)) * is_seen
    shifts = _list_shifts()
    maps = _Maps(
        shifts=shifts,
        agreement=_correlate(target, placed, shifts),
        tissue=_average_cells(tissue),
        moved_px=_measure_deformation(affine, transform, frame),
    )
    is_misfit = np.zeros(maps.tissue.shape, bool)
    for region in REGIONS:
        for flagged in maps.find_misfits(*region):
            is_misfit |= flagged
    return _describe(is_misfit, maps.tissue > LEAST_TISSUE, frame)


@dataclass(frozen=True, eq=False)
class _Maps:
    """What is known of every cell."""

    shifts: Shifts
    """The shifts."""
    agreement: npt.NDArray[np.float32]
    """Correlation under each shift, (N, rows, columns); 0 off the tissue."""
    tissue: Cells
    """Share of each cell that is tissue."""
    moved_px: npt.NDArray[np.float32]
    """How far the deformation moves each cell, (2, rows, columns)."""

    def find_misfits(self, height: int, width: int) -> Iterator[Flags]:
        """Yield, for each region of a size that stands out elsewhere, its cells that do."""
        rows, columns = self.tissue.shape
        height, width = min(height, rows), min(width, columns)
        tissue_sums, agreement_sums, moved_sums = self.sums
        tissue = _sum_regions(tissue_sums, height, width)
        least = max(LEAST_TISSUE * height * width, LEAST_SHARE * float(self.tissue.sum()))
        corners = np.argwhere(tissue >= least)
        if not len(corners):
            return
        row, column = corners.T
        weight = tissue[row, column]
        agreement = _sum_regions(agreement_sums, height, width)[:, row, column] / weight
        own = _sum_regions(moved_sums, height, width)[:, row, column] / weight
        others = self._choose_places(agreement, own)
        for number in np.flatnonzero(others >= 0):
            top, left = corners[number] * REGION_STEP
            flags = np.zeros(self.tissue.shape, bool)
            region = slice(top, top + height), slice(left, left + width)
            better = cv2.blur(self.agreement[others[number]], (3, 3)) > self.own_agreement
            flags[region] = (better & (self.tissue > LEAST_TISSUE))[region]
            yield flags

    @cached_property
    def own_agreement(self) -> Cells:
        """Correlation about where the deformation puts each cell, (rows, columns), smoothed."""
        offset = self.shifts.T[:, :, None, None] - self.moved_px[:, None]
        is_own = np.hypot(*offset) < OWN_PLACE_PX
        return np.asarray(cv2.blur(np.where(is_own, self.agreement, -1).max(axis=0), (3, 3)))

    def _choose_places(
        self, agreement: npt.NDArray[np.float32], own_px: npt.NDArray[np.float32]
    ) -> npt.NDArray[np.int64]:
        """Return the number of the shift that stands out for each region, else −1, (M,).

        `agreement` is (N, M) of M regions, `own_px` (2, M) where they lie.
        """
        distance = np.hypot(*(self.shifts.T[:, :, None] - own_px[:, None]))
        is_own = distance < OTHER_PLACE_PX
        own = np.where(is_own, agreement, -np.inf).max(axis=0)
        elsewhere = np.where(~is_own & self._find_peaks(agreement), agreement, -np.inf)
        others = elsewhere.argmax(axis=0)
        numbers = np.arange(agreement.shape[1])
        apart = np.hypot(*(self.shifts.T[:, :, None] - self.shifts[others].T[:, None]))
        chance = np.where(is_own | (apart < OTHER_PLACE_PX), np.nan, agreement)
        best = elsewhere[others, numbers]
        deviation = np.maximum(np.nanstd(chance, axis=0), LEAST_DEVIATION)
        prominence = (best - np.nanmean(chance, axis=0)) / deviation
        stands_out = (prominence > LEAST_PROMINENCE) & (best > own) & is_own.any(axis=0)
        return np.where(stands_out, others, -1)

    def _find_peaks(self, agreement: npt.NDArray[np.float32]) -> Flags:
        """Return which of (N, M) are no less than at any neighbouring shift, of which all exist."""
        is_inside = np.asarray((self.neighbours >= 0).all(axis=1))
        is_peak = np.repeat(is_inside[:, None], agreement.shape[1], axis=1)
        for near in self.neighbours.T:
            is_peak &= agreement >= agreement[near]
        return is_peak

    @cached_property
    def sums(self) -> list[npt.NDArray[np.float64]]:
        """Sums of tissue, agreement and deformation, see `_integrate`."""
        return [
            _integrate(cells)
            for cells in (self.tissue, self.agreement, self.moved_px * self.tissue)
        ]

    @cached_property
    def neighbours(self) -> npt.NDArray[np.int64]:
        """Numbers of the shifts about each shift, (N, 9); −1 where there is none."""
        numbers = {shift: number for number, shift in enumerate(map(tuple, self.shifts.tolist()))}
        steps = (-SHIFT_STEP_PX, 0, SHIFT_STEP_PX)
        return np.array(
            [
                [numbers.get((x + across, y + down), -1) for across in steps for down in steps]
                for x, y in self.shifts.tolist()
            ]
        )


def _normalise(planes: Tensor) -> npt.NDArray[np.float32]:
    """Return the planes (1, C, H, W) normalised in windows about each pixel, (C, H, W)."""
    return np.asarray(normalise_locally(planes, NORMAL_RADIUS_PX)[0].cpu().numpy(), np.float32)


def _list_shifts() -> Shifts:
    """Return shifts (x, y) on a disc, (N, 2)."""
    steps = range(-REACH_PX, REACH_PX + 1, SHIFT_STEP_PX)
    return np.array([(x, y) for y in steps for x in steps if np.hypot(x, y) <= REACH_PX])


def _correlate(
    target: npt.NDArray[np.float32], placed: npt.NDArray[np.float32], shifts: Shifts
) -> npt.NDArray[np.float32]:
    """Return the correlation in each cell of planes (C, H, W) under each shift."""
    count, height, width = target.shape
    padded = np.pad(placed, ((0, 0), *((REACH_PX, REACH_PX),) * 2))
    maps = []
    for x, y in shifts:
        moved = padded[:, REACH_PX + y :, REACH_PX + x :][:, :height, :width]
        maps.append(_average_cells(np.einsum("chw,chw->hw", target, moved) / count))
    return np.stack(maps)


def _average_cells(picture: npt.NDArray[np.float32]) -> Cells:
    """Return the mean of (H, W) in each whole cell."""
    rows, columns = (side // CELL_PX for side in picture.shape)
    whole = picture[: rows * CELL_PX, : columns * CELL_PX]
    return np.asarray(cv2.resize(whole, (columns, rows), interpolation=cv2.INTER_AREA))


def _integrate(cells: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Return the sums of (..., rows, columns) above and left of each corner of a cell."""
    sums = np.zeros((*cells.shape[:-2], cells.shape[-2] + 1, cells.shape[-1] + 1))
    np.cumsum(cells, axis=-1, out=sums[..., 1:, 1:])
    np.cumsum(sums, axis=-2, out=sums)
    return sums


def _sum_regions(sums: npt.NDArray[np.float64], height: int, width: int) -> npt.NDArray[np.float32]:
    """Return the sums over regions of a size at every second cell, from those of `_integrate`."""
    top = sums[..., :-height:REGION_STEP, :]
    rows = sums[..., height::REGION_STEP, :] - top
    regions = rows[..., width::REGION_STEP] - rows[..., :-width:REGION_STEP]
    return np.asarray(regions, np.float32)


def _measure_deformation(
    affine: Affine, transform: Transform, frame: Frame
) -> npt.NDArray[np.float32]:
    """Return how far the deformation moves the centre of each cell, (2, rows, columns) pixels."""
    rows, columns = frame.height // CELL_PX, frame.width // CELL_PX
    y, x = np.mgrid[:rows, :columns] * float(CELL_PX) + CELL_PX / 2
    points = frame.to_um(np.stack([x.ravel(), y.ravel()], axis=1))
    moved = (affine.inverse()(transform(points)) - points) / frame.mpp
    return np.asarray(moved.T.reshape(2, rows, columns), np.float32)


def _describe(is_misfit: Flags, is_tissue: Flags, frame: Frame) -> Misfit:
    """Return the cells' boxes and their share of the tissue."""
    rows, columns = np.nonzero(is_misfit)
    corners = np.stack([columns, rows], axis=1).astype(np.float64) * CELL_PX
    low, high = (
        frame.space.frame.to_px(frame.to_um(corners + side)).round(1).tolist()
        for side in (0, CELL_PX)
    )
    boxes = tuple(
        (left, top, right, bottom) for (left, top), (right, bottom) in zip(low, high, strict=True)
    )
    return Misfit(float(is_misfit.sum()) / max(1, int(is_tissue.sum())), boxes)
