"""Is it right? How well two sections agree under a transform, and whether that is more than chance.

The score is the mean of two similarities that fail differently: local NCC, which wants the same texture, and normalised
gradient fields, which want the same edges whatever their sign. No stage climbs the second.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stainbridge.geometry.frame import Frame
from stainbridge.geometry.transform import Transform
from stainbridge.imaging.similarity.lncc import LocalNCC
from stainbridge.imaging.similarity.ngf import unit_gradients
from stainbridge.metrics.fields import jacobian_scores
from stainbridge.register.prepare import Section

SIZE_PX = 256
RADIUS = 6


@dataclass(frozen=True)
class Verification:
    """`score`: see above, over the fixed tissue. `sharpness`: by how many standard deviations the local NCC
    exceeds that of the same transform shifted or turned away. `overlap`: share of the smaller tissue on the other's."""

    score: float
    sharpness: float
    overlap: float


def similarity(fixed: Section, moving: Section, transform: Transform) -> float:
    """The verification score over the fixed tissue, higher is better, at most 1."""
    frame, _, _ = fixed.at(SIZE_PX)
    where = _where(transform, moving, frame, np.eye(3)[None])
    return float(_local_ncc(fixed, moving, where)[0] + _ngf(fixed, moving, where)[0]) / 2


def verify(fixed: Section, moving: Section, transform: Transform) -> Verification:
    """Score a transform beside its own displaced copies, which say what chance gives on this pair."""
    frame, _, _ = fixed.at(SIZE_PX)
    moves = np.concatenate([np.eye(3)[None], _displacements(fixed)])
    where = _where(transform, moving, frame, moves)
    correlation = _local_ncc(fixed, moving, where).cpu().numpy()
    chance = correlation[1:]
    sharpness = float((correlation[0] - chance.mean()) / max(float(chance.std()), 1e-3))
    score = float(correlation[0] + _ngf(fixed, moving, where[:1])[0]) / 2
    return Verification(score, sharpness, _overlap(fixed, moving, where[:1]))


def folded_share(transform: Transform, frame: Frame) -> float:
    """Share of the fixed frame where the transform, seen without its own flip, is not one to one."""
    return jacobian_scores(transform, frame).folded


def _displacements(fixed: Section) -> np.ndarray:
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


def _where(transform: Transform, moving: Section, frame: Frame, moves: np.ndarray) -> Tensor:
    """(B, H, W, 2) `grid_sample` coordinates in the moving section of the frame's pixel centres after each move."""
    centres = np.c_[frame.centres_um(), np.ones(frame.height * frame.width)]
    mapped = np.stack([transform((centres @ move.T)[:, :2]) for move in moves])
    points = torch.tensor(mapped.reshape(len(moves), frame.height, frame.width, 2), dtype=torch.float32)
    return moving.normalised(points)


def _warped(fixed: Section, moving: Section, where: Tensor) -> Tensor:
    """(B, 1, H, W) moving density at `where`, from a copy of about the fixed chart's resolution."""
    frame, _, _ = fixed.at(SIZE_PX)
    spread = where[0].reshape(-1, 2).std(0) * torch.tensor(moving.frame.size_um) / torch.tensor(frame.size_um)
    scale = max(float(spread.mean()) / 0.577, 0.05)  # 0.577: the spread of uniform points on [-1, 1]
    _, source, _ = moving.at(max(8, round(max(moving.frame.size_um) / (max(frame.mpp) * scale))))
    return F.grid_sample(source.expand(len(where), -1, -1, -1), where, padding_mode="border", align_corners=False)


def _local_ncc(fixed: Section, moving: Section, where: Tensor) -> Tensor:
    """(B,) mean local NCC over the fixed outline as far as it falls on the moving picture."""
    _, target, outline = fixed.at(SIZE_PX)
    weight = outline * (where.abs() <= 1).all(-1)[:, None]
    return LocalNCC.of(target, RADIUS)(_warped(fixed, moving, where), weight) / weight.sum((1, 2, 3)).clamp_min(1)


def _ngf(fixed: Section, moving: Section, where: Tensor) -> Tensor:
    """(B,) means of the squared inner product of unit gradients (Haber & Modersitzki 2006, doi:10.1007/11866763_89)."""
    _, target, outline = fixed.at(SIZE_PX)
    inside = (where.abs() <= 1).all(-1)[:, None]
    unit = unit_gradients(target)
    product = (unit * unit_gradients(_warped(fixed, moving, where))).sum(1, keepdim=True).square() * inside * outline
    strength = unit.square().sum(1, keepdim=True) * outline
    return product.sum((1, 2, 3)) / strength.sum().clamp_min(1e-6)


def _overlap(fixed: Section, moving: Section, where: Tensor) -> float:
    region = torch.tensor(moving.region.astype(np.float32))[None, None]
    covered = F.grid_sample(region, where, align_corners=False)[0, 0].cpu().numpy() > 0.5
    frame, _, _ = fixed.at(SIZE_PX)
    mine = (
        F.interpolate(
            torch.tensor(fixed.region.astype(np.float32))[None, None], (frame.height, frame.width), mode="area"
        )[0, 0]
        .cpu()
        .numpy()
    )
    mine = mine > 0.5
    return float((covered & mine).sum() / max(1, min(int(mine.sum()), int(covered.sum()) or 1)))
