"""Is it right? How well two sections agree under a transform, and whether that is more than chance.

The score is the mean of two similarities that fail differently: local NCC, which wants the same
texture, and normalised gradient fields, which want the same edges whatever their sign. No stage
climbs the second.
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
from stainbridge.metrics.fields import jacobian_scores
from stainbridge.registration.sections.section import Section
from stainbridge.similarity.lncc import LocalNCC
from stainbridge.similarity.ngf import unit_gradients
from stainbridge.types import Mask

Matrices: TypeAlias = npt.NDArray[np.float64]  # (B, 3, 3)
STAY: Matrices = np.eye(3)[None]

SIZE_PX = 256
#: Chance is looked at coarsely: there a right placement stands out by more, at a quarter of the
#: cost.
CHANCE_PX = 128
RADIUS = 6


@dataclass(frozen=True)
class Verification:
    """`score`: see above, over the fixed tissue. `sharpness`: by how many standard deviations the
    local NCC exceeds that of the same transform shifted or turned away. `overlap`: share of the
    smaller tissue on the other's.
    """

    score: float
    sharpness: float
    overlap: float


def similarity(fixed: Section, moving: Section, transform: Transform) -> float:
    """The verification score over the fixed tissue, higher is better, at most 1."""
    return sum(similarities(fixed, moving, transform)) / 2


def similarities(fixed: Section, moving: Section, transform: Transform) -> tuple[float, float]:
    """Local NCC and normalised gradient fields over the fixed tissue, each at most 1."""
    frame, _, _ = fixed.at(SIZE_PX)
    where = sampling(transform, moving, frame)
    warped = _averaged_density(moving, frame, where)
    return float(_local_ncc(fixed, SIZE_PX, warped, where)[0]), float(_ngf(fixed, warped, where)[0])


def verify(fixed: Section, moving: Section, transform: Transform) -> Verification:
    """Score a transform beside its own displaced copies, which say what chance gives on this pair."""
    frame, _, _ = fixed.at(CHANCE_PX)
    moves = np.concatenate([np.eye(3)[None], _displacements(fixed)])
    where = sampling(transform, moving, frame, moves)
    correlation = (
        _local_ncc(fixed, CHANCE_PX, warped_density(moving, frame, where), where).cpu().numpy()
    )
    chance = correlation[1:]
    sharpness = float((correlation[0] - chance.mean()) / max(float(chance.std()), 1e-3))
    return Verification(
        similarity(fixed, moving, transform), sharpness, _overlap(fixed, moving, frame, where[:1])
    )


def folded_share(transform: Transform, frame: Frame) -> float:
    """Share of the fixed frame where the transform, seen without its own flip, is not one to one."""
    return jacobian_scores(transform, frame).folded


def _displacements(fixed: Section) -> Matrices:
    """(24, 3, 3) moves of the fixed plane: shifts and turns far beyond any residual error."""
    moves = []
    for k in range(8):
        angle = 2 * np.pi * k / 8
        for distance in (0.15, 0.25):
            shift = np.eye(3)
            shift[:2, 2] = distance * fixed.radius_um * np.array([np.cos(angle), np.sin(angle)])
            moves.append(shift)
    centre = np.asarray(fixed.centre_um)
    for degrees in (-40, -30, -20, -12, 12, 20, 30, 40):
        cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        turn = np.eye(3)
        turn[:2, :2] = [[cos, -sin], [sin, cos]]
        turn[:2, 2] = centre - turn[:2, :2] @ centre
        moves.append(turn)
    return np.stack(moves)


def sampling(transform: Transform, moving: Section, frame: Frame, moves: Matrices = STAY) -> Tensor:
    """(B, H, W, 2) `grid_sample` coordinates in the moving section of the frame's pixel centres
    after each move.
    """
    centres = frame.centres_um()
    mapped = np.stack(
        [transform(Affine(move, frame.space, frame.space)(centres)) for move in moves]
    )
    points = torch.tensor(
        mapped.reshape(len(moves), frame.height, frame.width, 2), dtype=torch.float32
    )
    return moving.normalised(points)


def warped_density(moving: Section, frame: Frame, where: Tensor) -> Tensor:
    """(B, 1, H, W) moving density at `where`, (B, H, W, 2), from a copy of about the resolution of
    `frame`.
    """
    spread = (
        where[0].reshape(-1, 2).std(0)
        * torch.tensor(moving.frame.size_um)
        / torch.tensor(frame.size_um)
    )
    scale = max(
        float(spread.mean()) / 0.577, 0.05
    )  # 0.577: the spread of uniform points on [-1, 1]
    _, source, _ = moving.at(max(8, round(max(moving.frame.size_um) / (max(frame.mpp) * scale))))
    return F.grid_sample(
        source.expand(len(where), -1, -1, -1), where, padding_mode="border", align_corners=False
    )


def _averaged_density(moving: Section, frame: Frame, where: Tensor) -> Tensor:
    """(B, 1, H, W) moving density in the frame's pixels: the mean of four places in each, as the
    fixed one's is.

    At one place a pixel, maps that hit whole pixels of the source look sharper than those in
    between, and win.
    """
    finer = frame.at_mpp((frame.mpp[0] / 2, frame.mpp[1] / 2))
    return F.avg_pool2d(warped_density(moving, finer, _doubled(where)), 2)


def _doubled(where: Tensor) -> Tensor:
    """(B, H, W, 2) at pixel centres to (B, 2H, 2W, 2) at those of pixels half as wide, linearly,
    borders included.
    """
    wide = where.permute(0, 3, 1, 2)
    for axis in (-1, -2):
        first, last = wide.narrow(axis, 0, 2).unbind(axis), wide.narrow(axis, -2, 2).unbind(axis)
        before, after = 2 * first[0] - first[1], 2 * last[1] - last[0]
        wide = torch.cat([before.unsqueeze(axis), wide, after.unsqueeze(axis)], axis)
    doubled = F.interpolate(wide, scale_factor=2, mode="bilinear", align_corners=False)
    return doubled[..., 2:-2, 2:-2].permute(0, 2, 3, 1)


def _local_ncc(fixed: Section, size_px: int, warped: Tensor, where: Tensor) -> Tensor:
    """(B,) mean local NCC over the fixed outline as far as it falls on the moving picture."""
    _, target, outline = fixed.at(size_px)
    weight = outline * (where.abs() <= 1).all(-1)[:, None]
    return LocalNCC.of(target, RADIUS)(warped, weight) / weight.sum((1, 2, 3)).clamp_min(1)


def _ngf(fixed: Section, warped: Tensor, where: Tensor) -> Tensor:
    """(B,) means of the squared inner product of unit gradients (Haber & Modersitzki 2006,
    doi:10.1007/11866763_89).
    """
    _, target, outline = fixed.at(SIZE_PX)
    inside = (where.abs() <= 1).all(-1)[:, None]
    unit = unit_gradients(target)
    product = (unit * unit_gradients(warped)).sum(1, keepdim=True).square() * inside * outline
    strength = unit.square().sum(1, keepdim=True) * outline
    return product.sum((1, 2, 3)) / strength.sum().clamp_min(1e-6)


def _overlap(fixed: Section, moving: Section, frame: Frame, where: Tensor) -> float:
    region = torch.tensor(moving.region.astype(np.float32))[None, None]
    covered = F.grid_sample(region, where, align_corners=False)[0, 0].cpu().numpy() > 0.5
    mine = tissue_on(fixed, frame)
    return float((covered & mine).sum() / max(1, min(int(mine.sum()), int(covered.sum()) or 1)))


def tissue_on(section: Section, frame: Frame) -> Mask:
    """The section's tissue region on a coarser frame of the same extent, (H, W)."""
    size = (frame.width, frame.height)
    return np.asarray(
        cv2.resize(section.region.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0.5
    )
