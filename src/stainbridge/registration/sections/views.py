"""What a network is shown of a section: a frame about its tissue, and pictures on it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stainbridge.geometry.affine_grid import affine_grid
from stainbridge.geometry.frame import Frame
from stainbridge.registration.sections.section import Section
from stainbridge.types import Matrix

#: Free room on each side of the tissue, as a share of the longer side of the box around it.
MARGIN = 0.1


def view_of(
    section: Section, longest_px: int, mpp: float | None = None, *, square: bool = False
) -> Frame:
    """The box around the section's tissue, `longest_px` on its longer side or at `mpp`, in the
    slide's own space.

    A `square` one has as much glass on either side of the shorter extent as it takes.
    """
    ends = np.array([np.flatnonzero(section.region.any(axis))[[0, -1]] for axis in (0, 1)]) + 0.5
    low, high = section.frame.to_um(ends.T)
    margin = MARGIN * (high - low).max()
    side_um = float((high - low).max() + 2 * margin)
    pixel = mpp or side_um / longest_px
    sides = np.full(2, side_um) if square else high - low + 2 * margin
    width, height = (max(1, int(np.ceil(side / pixel))) for side in sides)
    x, y = (low + high - sides) / 2
    origin = (float(x), float(y))
    return Frame(section.frame.space, height, width, (pixel, pixel), origin)


def seen(section: Section, view: Frame, maps: Sequence[Matrix], device: torch.device) -> Tensor:
    """Densities (K, 1, H, W) of the section on `view` through each map (3, 3), view µm to section
    µm; 0 outside.
    """
    return torch.cat([_seen(section, view, matrix, device) for matrix in maps])


def _seen(section: Section, view: Frame, matrix: Matrix, device: torch.device) -> Tensor:
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:2, :2]))))
    _, density, outline = section.at(
        max(8, round(max(section.frame.size_um) / (view.mpp[0] * scale)))
    )
    between = np.linalg.inv(section.frame.from_normalised) @ matrix @ view.from_normalised
    places = affine_grid(
        torch.tensor(between[None, :2], dtype=torch.float32, device=device), view.height, view.width
    )
    return F.grid_sample(
        (density * outline).to(device), places, padding_mode="zeros", align_corners=False
    )
