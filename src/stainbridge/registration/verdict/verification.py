"""Verification: how well two sections agree under a transform, and whether that beats chance.

The score is the mean of two similarities that fail differently. Local NCC wants the same texture.
Normalised gradient fields want the same edges, whatever their sign; no stage optimises them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from stainbridge.geometry.frame import Frame
from stainbridge.geometry.transform import Affine, Transform
from stainbridge.metrics.fields import score_jacobian
from stainbridge.registration.sections.section import Section
from stainbridge.similarity.lncc import LocalNCC
from stainbridge.similarity.ngf import unit_gradients
from stainbridge.types import Mask

Matrices: TypeAlias = npt.NDArray[np.float64]  # (B, 3, 3)
IDENTITY: Matrices = np.eye(3)[None]

#: Longest side, in pixels, of the frame that the score is computed on.
SCORE_PX = 256
#: Longest side of the frame that chance is measured on. A right placement stands out by more on a
#: coarse one, at a quarter of the cost.
CHANCE_PX = 128
#: Radius in pixels of the local NCC's windows.
RADIUS_PX = 6
#: Distances of the displaced copies, as shares of the section's radius.
SHIFT_SHARES = (0.15, 0.25)
#: Directions of the displaced copies.
SHIFT_DIRECTIONS = 8
#: Turns of the displaced copies about the section's centre.
TURNS_DEG = (-40, -30, -20, -12, 12, 20, 30, 40)
#: Standard deviation of uniform points on [−1, 1].
UNIFORM_SPREAD = 0.577


@dataclass(frozen=True)
class Verification:
    """How good a placement is, and how far it is from chance."""

    score: float
    """The verification score over the fixed tissue, at most 1."""
    sharpness: float
    """Standard deviations by which its local NCC exceeds that of displaced copies."""
    overlap: float
    """Share of the smaller tissue that lies on the other."""


def measure_score(fixed: Section, moving: Section, transform: Transform) -> float:
    """Return the verification score over the fixed tissue: higher is better, at most 1."""
    return sum(measure_similarities(fixed, moving, transform)) / 2


def measure_similarities(
    fixed: Section, moving: Section, transform: Transform
) -> tuple[float, float]:
    """Return local NCC and gradient field similarity over the fixed tissue, each at most 1."""
    frame, _, _ = fixed.density_at(SCORE_PX)
    coordinates = sample_coordinates(transform, moving, frame)
    warped = _warp_averaged(moving, frame, coordinates)
    local_ncc = _local_ncc(fixed, SCORE_PX, warped, coordinates)
    return float(local_ncc[0]), float(_gradient_fields(fixed, warped, coordinates)[0])


def verify(
    fixed: Section, moving: Section, transform: Transform, score: float | None = None
) -> Verification:
    """Compare a transform with its own displaced copies, which show what chance gives on this pair.

    `score` is its verification score where that is known already.
    """
    if score is None:
        score = measure_score(fixed, moving, transform)
    frame, _, _ = fixed.density_at(CHANCE_PX)
    moves = np.concatenate([np.eye(3)[None], _displacements(fixed)])
    coordinates = sample_coordinates(transform, moving, frame, moves)
    warped = warp_density(moving, frame, coordinates)
    correlation = _local_ncc(fixed, CHANCE_PX, warped, coordinates).cpu().numpy()
    chance = correlation[1:]
    sharpness = float((correlation[0] - chance.mean()) / max(float(chance.std()), 1e-3))
    return Verification(score, sharpness, _overlap(fixed, moving, frame, coordinates[:1]))


def measure_folded_share(transform: Transform, frame: Frame) -> float:
    """Return the share of `frame` where the transform, apart from a flip, is not one to one."""
    return score_jacobian(transform, frame).folded


def _displacements(fixed: Section) -> Matrices:
    """Return (24, 3, 3) moves of the fixed plane: shifts and turns far beyond a residual error."""
    moves = []
    for k in range(SHIFT_DIRECTIONS):
        angle = 2 * np.pi * k / SHIFT_DIRECTIONS
        for share in SHIFT_SHARES:
            shift = np.eye(3)
            shift[:2, 2] = share * fixed.radius_um * np.array([np.cos(angle), np.sin(angle)])
            moves.append(shift)
    centre = np.asarray(fixed.centre_um)
    for degrees in TURNS_DEG:
        cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        turn = np.eye(3)
        turn[:2, :2] = [[cos, -sin], [sin, cos]]
        turn[:2, 2] = centre - turn[:2, :2] @ centre
        moves.append(turn)
    return np.stack(moves)


def sample_coordinates(
    transform: Transform, moving: Section, frame: Frame, moves: Matrices = IDENTITY
) -> Tensor:
    """Return (B, H, W, 2) `grid_sample` coordinates in the moving section of the frame's centres.

    The centres are moved by each of `moves` first.
    """
    space = frame.space
    centres = frame.centres_um()
    mapped = np.stack([transform(Affine(move, space, space)(centres)) for move in moves])
    shape = (len(moves), frame.height, frame.width, 2)
    return moving.normalise(torch.tensor(mapped.reshape(shape), dtype=torch.float32))


def warp_density(moving: Section, frame: Frame, coordinates: Tensor) -> Tensor:
    """Sample the moving density at (B, H, W, 2) coordinates, as (B, 1, H, W).

    It is taken from a copy of about the resolution of `frame`.
    """
    return warp_planes(moving, frame, coordinates, 1)


def warp_planes(moving: Section, frame: Frame, coordinates: Tensor, count: int = 2) -> Tensor:
    """Sample the first `count` of the moving density and edges, as (B, count, H, W).

    `coordinates` are (B, H, W, 2). The planes are copies of about the resolution of `frame`.
    """
    deviation = coordinates[0].reshape(-1, 2).std(0)
    spread = deviation * torch.tensor(moving.frame.size_um) / torch.tensor(frame.size_um)
    scale = max(float(spread.mean()) / UNIFORM_SPREAD, 0.05)
    longest_px = round(max(moving.frame.size_um) / (max(frame.mpp) * scale))
    _, planes, _ = moving.planes_at(max(8, longest_px))
    source = planes[:, :count].expand(len(coordinates), -1, -1, -1)
    return F.grid_sample(source, coordinates, padding_mode="border", align_corners=False)


def _warp_averaged(moving: Section, frame: Frame, coordinates: Tensor) -> Tensor:
    """Return the moving density (B, 1, H, W) as the mean of four samples in each pixel.

    The fixed density is a mean over each pixel too. With one sample a pixel, transforms that hit
    whole pixels of the source look sharper than those in between, and win.
    """
    finer = frame.at_mpp((frame.mpp[0] / 2, frame.mpp[1] / 2))
    return F.avg_pool2d(warp_density(moving, finer, _refine_coordinates(coordinates)), 2)


def _refine_coordinates(coordinates: Tensor) -> Tensor:
    """Interpolate (B, H, W, 2) at pixel centres to (B, 2H, 2W, 2) at those of half pixels.

    Linear, and at the borders extrapolated.
    """
    wide = coordinates.permute(0, 3, 1, 2)
    for axis in (-1, -2):
        first, last = wide.narrow(axis, 0, 2).unbind(axis), wide.narrow(axis, -2, 2).unbind(axis)
        before = 2 * first[0] - first[1]
        after = 2 * last[1] - last[0]
        wide = torch.cat([before.unsqueeze(axis), wide, after.unsqueeze(axis)], axis)
    doubled = F.interpolate(wide, scale_factor=2, mode="bilinear", align_corners=False)
    return doubled[..., 2:-2, 2:-2].permute(0, 2, 3, 1)


def _local_ncc(fixed: Section, size_px: int, warped: Tensor, coordinates: Tensor) -> Tensor:
    """Return (B,) mean local NCC over the fixed outline where it falls on the moving picture."""
    _, target, outline = fixed.density_at(size_px)
    weight = outline * (coordinates.abs() <= 1).all(-1)[:, None]
    total = weight.sum((1, 2, 3)).clamp_min(1)
    return LocalNCC.of(target, RADIUS_PX)(warped, weight) / total


def _gradient_fields(fixed: Section, warped: Tensor, coordinates: Tensor) -> Tensor:
    """Return (B,) means of the squared inner product of unit gradients.

    Haber & Modersitzki 2006, doi:10.1007/11866763_89.
    """
    _, target, outline = fixed.density_at(SCORE_PX)
    inside = (coordinates.abs() <= 1).all(-1)[:, None]
    unit = unit_gradients(target)
    product = (unit * unit_gradients(warped)).sum(1, keepdim=True).square() * inside * outline
    strength = unit.square().sum(1, keepdim=True) * outline
    return product.sum((1, 2, 3)) / strength.sum().clamp_min(1e-6)


def _overlap(fixed: Section, moving: Section, frame: Frame, coordinates: Tensor) -> float:
    region = torch.tensor(moving.region.astype(np.float32))[None, None]
    covered = F.grid_sample(region, coordinates, align_corners=False)[0, 0].cpu().numpy() > 0.5
    tissue = shrink_region(fixed, frame)
    smaller = max(1, min(int(tissue.sum()), int(covered.sum()) or 1))
    return float((covered & tissue).sum() / smaller)


def shrink_region(section: Section, frame: Frame) -> Mask:
    """Return the section's tissue region on a coarser frame of the same extent, (H, W)."""
    size = (frame.width, frame.height)
    region = section.region.astype(np.float32)
    return np.asarray(cv2.resize(region, size, interpolation=cv2.INTER_AREA) > 0.5)
