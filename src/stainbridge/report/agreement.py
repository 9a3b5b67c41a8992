"""Where two registered slides agree and where not, cell by cell of an overview."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stainbridge.geometry.frame import Frame
from stainbridge.imaging.pictures import Picture
from stainbridge.types import Plane

#: Side of a cell in pixels of the overview.
CELL_PX = 40
#: Density from which a pixel shows tissue.
LEAST_DENSITY = 0.05
#: A cell has at least this share of tissue on both slides: glass agrees with glass everywhere.
LEAST_TISSUE = 0.7
#: Structure below this standard deviation has no place to compare.
LEAST_DEVIATION = 0.02
#: Colours of no and of full agreement.
WORST_COLOUR = np.array([200.0, 30.0, 45.0])
BEST_COLOUR = np.array([30.0, 110.0, 200.0])
#: How much of a cell's colour is laid over the tissue.
OPACITY = 0.55


@dataclass(frozen=True)
class Cell:
    """A square of the overview with tissue on both slides."""

    row: int
    """Its top edge, in pixels of the overview."""
    column: int
    """Its left edge, in pixels of the overview."""
    agreement: float
    """Correlation of both slides' densities in it, −1 to 1."""

    def centre_um(self, view: Frame) -> tuple[float, float]:
        """Return the centre (x, y) in µm of the fixed slide."""
        x, y = view.to_um(np.array([[self.column + CELL_PX / 2, self.row + CELL_PX / 2]]))[0]
        return float(x), float(y)


def measure_agreement(fixed: Plane, warped: Plane) -> list[Cell]:
    """Return the cells of two densities (H, W) that have tissue, the best first."""
    height, width = fixed.shape
    cells = []
    for row in range(0, height - CELL_PX + 1, CELL_PX):
        for column in range(0, width - CELL_PX + 1, CELL_PX):
            window = slice(row, row + CELL_PX), slice(column, column + CELL_PX)
            agreement = _correlate(fixed[window], warped[window])
            if agreement is not None:
                cells.append(Cell(row, column, agreement))
    return sorted(cells, key=lambda cell: -cell.agreement)


def choose_examples(cells: list[Cell]) -> dict[str, Cell]:
    """Return the best, the median and the worst cell, as far as there are as many."""
    if not cells:
        return {}
    places = {"Best": 0, "Median": len(cells) // 2, "Worst": len(cells) - 1}
    chosen: dict[str, Cell] = {}
    for name, place in places.items():
        if cells[place] not in chosen.values():
            chosen[name] = cells[place]
    return chosen


def draw_agreement(density: Plane, cells: list[Cell]) -> Picture:
    """Return the tissue in grey, (H, W, 3) uint8, with each cell in its colour."""
    grey = 255 * (1 - 0.8 * np.clip(density, 0, 1))
    picture = np.repeat(grey[..., None], 3, axis=-1)
    for cell in cells:
        share = min(1.0, max(0.0, cell.agreement))
        colour = WORST_COLOUR + share * (BEST_COLOUR - WORST_COLOUR)
        window = picture[cell.row : cell.row + CELL_PX, cell.column : cell.column + CELL_PX]
        window += OPACITY * (colour - window)
    return picture.round().astype(np.uint8)


def _correlate(first: Plane, second: Plane) -> float | None:
    """Return the correlation of two windows, None where one shows too little."""
    if min((window > LEAST_DENSITY).mean() for window in (first, second)) < LEAST_TISSUE:
        return None
    deviations = float(first.std()), float(second.std())
    if min(deviations) < LEAST_DEVIATION:
        return None
    covariance = float(((first - first.mean()) * (second - second.mean())).mean())
    return covariance / (deviations[0] * deviations[1])
