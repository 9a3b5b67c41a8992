"""What a network is shown of a section: a frame around its tissue, and pictures on it."""

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

#: Free room on each side of the tissue, as a share of the longer side of its bounding box.
MARGIN_SHARE = 0.1


def frame_tissue(
    section: Section, longest_px: int, mpp: float | None = None, *, square: bool = False
) -> Frame:
    """Return a frame around the section's tissue, in the slide's own space.

    Its longer side has `longest_px` pixels, or its pixels have `mpp` µm. A `square` frame adds
    glass on both sides of the shorter extent.
    """
    ends = np.array([np.flatnonzero(section.region.any(axis))[[0, -1]] for axis in (0, 1)]) + 0.5
    low, high = section.frame.to_um(ends.T)
    margin = MARGIN_SHARE * (high - low).max()
    side_um = float((high - low).max() + 2 * margin)
    pixel_um = mpp or side_um / longest_px
    sides = np.full(2, side_um) if square else high - low + 2 * margin
    width, height = (max(1, int(np.ceil(side / pixel_um))) for side in sides)
    x, y = (low + high - sides) / 2
    return Frame(section.frame.space, height, width, (pixel_um, pixel_um), (float(x), float(y)))


def sample_section(
    section: Section, view: Frame, maps: Sequence[Matrix], device: torch.device
) -> Tensor:
    """Return densities (K, 1, H, W) of the section on `view` through each map.

    Maps are (3, 3), view µm to section µm. Outside the section the density is 0.
    """
    return torch.cat([_sample_one(section, view, matrix, device) for matrix in maps])


def _sample_one(section: Section, view: Frame, matrix: Matrix, device: torch.device) -> Tensor:
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:2, :2]))))
    longest_px = round(max(section.frame.size_um) / (view.mpp[0] * scale))
    _, density, outline = section.density_at(max(8, longest_px))
    between = np.linalg.inv(section.frame.from_normalised) @ matrix @ view.from_normalised
    theta = torch.tensor(between[None, :2], dtype=torch.float32, device=device)
    coordinates = affine_grid(theta, view.height, view.width)
    tissue = (density * outline).to(device)
    return F.grid_sample(tissue, coordinates, padding_mode="zeros", align_corners=False)
