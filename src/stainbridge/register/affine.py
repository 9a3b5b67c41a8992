"""Affine refinement of several starts at once, coarse to fine, by local NCC of tissue density."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stainbridge.geometry.frame import Frame
from stainbridge.imaging.similarity.lncc import LocalNCC
from stainbridge.register.config import AffineConfig
from stainbridge.register.prepare import Section
from stainbridge.register.search import Hypothesis


def refine(fixed: Section, moving: Section, starts: list[Hypothesis], config: AffineConfig) -> list[Hypothesis]:
    """Climb from every start; after each round only the best survive. Best first; scores are mean local NCC."""
    for index, (size, steps, keep) in enumerate(zip(config.sizes_px, config.steps, config.keep, strict=True)):
        rate = 0.02 / 2**index
        refined = _climb(fixed, moving, [s.matrix for s in starts], size, steps, rate, config.radius)
        starts = sorted(refined, key=lambda item: -item.score)[:keep]
    return starts


def _climb(
    fixed: Section, moving: Section, matrices: list[np.ndarray], size: int, steps: int, rate: float, radius: int
) -> list[Hypothesis]:
    frame, target, outline = fixed.at(size)
    scale = float(np.mean([np.sqrt(abs(np.linalg.det(m[:2, :2]))) for m in matrices]))
    longest = max(moving.frame.size_um) / (max(frame.mpp) * scale)
    _, source, _ = moving.at(max(8, round(longest)))
    similarity = LocalNCC.of(target, radius)
    total = outline.sum()
    points = unit_points(frame)
    start = torch.tensor(np.stack([m[:2] for m in matrices]), dtype=torch.float32)
    delta = torch.zeros(len(matrices), 2, 3, requires_grad=True)
    optimiser = torch.optim.Adam([delta], lr=rate, betas=(0.9, 0.95))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, max(1, steps), eta_min=rate / 10)
    expanded = source.expand(len(matrices), -1, -1, -1)

    def score() -> Tensor:
        where = moving.normalised(_map(points, delta, start, fixed))
        inside = ((where.detach().abs() <= 1).all(-1)[:, None]).float()
        warped = F.grid_sample(expanded, where, padding_mode="border", align_corners=False)
        return similarity(warped, outline * inside) / total

    for _ in range(steps):
        optimiser.zero_grad()
        (-score().sum()).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    with torch.no_grad():
        final = score().tolist()
    return [
        Hypothesis(_matrix(m, d, fixed), s)
        for m, d, s in zip(matrices, delta.detach().double().numpy(), final, strict=True)
    ]


def unit_points(frame: Frame) -> Tensor:
    """Pixel centres (H, W, 2) in units of half the longer side, about the frame's centre."""
    half = max(frame.size_um) / 2
    centres = (frame.centres_um() - frame.centre_um) / half
    return torch.tensor(centres.reshape(frame.height, frame.width, 2), dtype=torch.float32)


def _map(points: Tensor, delta: Tensor, start: Tensor, fixed: Section) -> Tensor:
    """Unit points moved by (I + delta), then taken by `start` to moving µm: (B, H, W, 2)."""
    half = max(fixed.frame.size_um) / 2
    moved = points + torch.einsum("bij,hwj->bhwi", delta[:, :, :2], points) + delta[:, None, None, :, 2]
    um = moved * half + torch.tensor(fixed.frame.centre_um, dtype=torch.float32)
    return torch.einsum("bij,bhwj->bhwi", start[:, :, :2], um) + start[:, None, None, :, 2]


def _matrix(start: np.ndarray, delta: np.ndarray, fixed: Section) -> np.ndarray:
    half, centre = max(fixed.frame.size_um) / 2, np.asarray(fixed.frame.centre_um)
    to_unit = np.array([[1 / half, 0, -centre[0] / half], [0, 1 / half, -centre[1] / half], [0, 0, 1]])
    step = np.eye(3) + np.vstack([delta, np.zeros(3)])
    return np.asarray(start @ np.linalg.inv(to_unit) @ step @ to_unit)
