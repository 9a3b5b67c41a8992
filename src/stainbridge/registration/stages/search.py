"""Global search: where the sections lie on each other, over all angles, flips, shifts and, where
needed, scales.

Every candidate rotation of the moving section is correlated with the fixed one at every shift at
once, by masked normalised cross-correlation in the Fourier domain (Padfield 2012,
doi:10.1109/TIP.2011.2181402). The mask is the tissue with a margin, so the outline counts and the
canvas does not. Two planes are correlated: density, which survives partial overlap, and gradient
magnitude, which survives stains that invert the contrast.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from scipy.fft import next_fast_len
from torch import Tensor

from stainbridge.registration.config import SearchConfig
from stainbridge.registration.parallel import spread
from stainbridge.registration.sections.section import Section
from stainbridge.types import Matrix

MIN_OVERLAP = 0.35  # of the smaller section; less is a correlation over next to nothing
FULL_OVERLAP = 0.7  # from here on more overlap is not better
FLOOR = 0.1  # added to local variances: near-blank overlaps correlate by chance
MARGIN = 1.15
WRAP = 0.65  # of the sum of both charts' sizes: the period of the correlation
APART = 0.15  # of the section's radius: matches that are nearer are one


@dataclass(frozen=True, eq=False)
class Hypothesis:
    """A start: `matrix` takes fixed µm to moving µm; `score` is comparable within one search."""

    matrix: Matrix
    score: float


def search(
    fixed: Section,
    moving: Section,
    config: SearchConfig,
    *,
    flips: tuple[bool, ...] = (False, True),
    max_rotation_deg: float = 180.0,
    threads: int = 1,
) -> list[Hypothesis]:
    """The best distinct candidates, best first; flips and scales are searched side by side."""
    pitch_um = 2 * MARGIN * fixed.radius_um / config.chart_px
    chart = _planes(*_chart(fixed, torch.eye(2)[None], pitch_um, config.chart_px))

    def matches(piece: tuple[bool, float]) -> list[Hypothesis]:
        flip, scale = piece
        turns = _turns(config.angles, flip, max_rotation_deg)
        size = int(
            np.clip(2 * MARGIN * moving.radius_um / (pitch_um * scale), 16, 2 * config.chart_px)
        )
        scores, shifts = _correlate(chart, _planes(*_chart(moving, turns, pitch_um * scale, size)))
        return [
            Hypothesis(_matrix(turn * scale, shift * pitch_um, fixed, moving), float(score))
            for turn, score, shift in zip(turns.double().cpu().numpy(), scores, shifts, strict=True)
        ]

    pieces = [
        (flip, scale) for scale in candidate_scales(fixed, moving, config.scales) for flip in flips
    ]
    found = [item for piece in spread(matches, pieces, threads) for item in piece]
    return distinct(sorted(found, key=lambda item: -item.score), fixed, config.candidates, APART)


def candidate_scales(fixed: Section, moving: Section, count: int) -> list[float]:
    """Moving µm per fixed µm to try: about 1 where both pixel sizes are known, else 0.5 to 2 and
    what the areas say.
    """
    if fixed.frame.calibrated and moving.frame.calibrated:
        return [0.9, 1.0, 1.11]
    scales = list(2.0 ** np.linspace(-1, 1, count))
    by_area = float(np.sqrt(moving.area_um2 / fixed.area_um2))
    if not 0.45 < by_area < 2.2:
        scales += [by_area * factor for factor in (0.71, 0.84, 1.0, 1.19, 1.41)]
    return scales


def _turns(count: int, flip: bool, limit_deg: float) -> Tensor:
    """(B, 2, 2) rotations, mirrored in x first where flipped."""
    angles = np.arange(count) * 2 * np.pi / count
    angles = angles[np.abs((np.degrees(angles) + 180) % 360 - 180) <= limit_deg + 1e-6]
    cos, sin = np.cos(angles), np.sin(angles)
    rotations = np.stack([np.stack([cos, -sin], -1), np.stack([sin, cos], -1)], -2)
    return torch.tensor(rotations @ np.diag([-1.0 if flip else 1.0, 1.0]), dtype=torch.float32)


def _chart(section: Section, turns: Tensor, pitch_um: float, size: int) -> tuple[Tensor, Tensor]:
    """Density and outline, each (B, size, size), of the section turned about its centre, at
    `pitch_um` a pixel.
    """
    longest = max(section.frame.size_um) / pitch_um
    _, density, outline = section.at(max(8, round(longest)))
    offset = (torch.arange(size) + 0.5 - size / 2) * pitch_um
    x, y = torch.meshgrid(offset, offset, indexing="xy")
    points = torch.einsum("bij,hwj->bhwi", turns, torch.stack([x, y], -1)) + torch.tensor(
        section.centre_um
    )
    both = torch.cat([density * outline, outline], 1).expand(len(turns), -1, -1, -1)
    sampled = F.grid_sample(both, section.normalised(points.float()), align_corners=False)
    weight = sampled[:, 1]
    return sampled[:, 0] / weight.clamp_min(0.5), (weight > 0.5).float()


def _planes(density: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """(B, 2, H, W) planes of zero mean and unit variance inside `mask`, and the mask."""
    padded = F.pad(density[:, None], (1, 1, 1, 1), mode="replicate")[:, 0]
    dx = padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2]
    dy = padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1]
    edges = _standard((dx * dx + dy * dy + 1e-6).sqrt(), mask).clamp(-2, 3)
    return torch.stack([_standard(density, mask), edges], 1), mask


def _standard(x: Tensor, mask: Tensor) -> Tensor:
    count = mask.sum((1, 2), keepdim=True).clamp_min(1)
    x = (x - (x * mask).sum((1, 2), keepdim=True) / count) * mask
    return x / (x.square().sum((1, 2), keepdim=True) / count).sqrt().clamp_min(1e-4)


def _correlate(
    fixed: tuple[Tensor, Tensor], moving: tuple[Tensor, Tensor]
) -> tuple[np.ndarray, np.ndarray]:
    """Best masked NCC of each turned chart and the shift there.

    Returns (B,) scores and (B, 2) chart pixels: where the moving chart's centre falls relative to
    the fixed one's.
    """
    (a, mask_a), (b, mask_b) = fixed, moving
    size_a, size_b = a.shape[-1], b.shape[-1]
    # Smaller than it takes to keep shifts apart from their wrapped ones: what would be mixed up
    # overlaps too little.
    size = next_fast_len(round(WRAP * (size_a + size_b)), real=True)
    spectrum_a = torch.fft.rfft2(_parts(a, mask_a), (size, size))[0]
    scores, shifts = [], []
    for start in range(0, len(b), 16):  # chunks that stay in cache
        planes, mask = b[start : start + 16], mask_b[start : start + 16]
        spectra = torch.fft.rfft2(_parts(planes, mask), (size, size)).conj()
        best, index = _scores(spectrum_a, spectra, size, mask_a, mask).flatten(1).max(1)
        shift = torch.stack([index % size, index // size], 1) + (size_b - size_a) / 2
        scores.append(best)
        shifts.append((shift + size / 2) % size - size / 2)
    return torch.cat(scores).cpu().numpy(), torch.cat(shifts).double().cpu().numpy()


def _parts(planes: Tensor, mask: Tensor) -> Tensor:
    """(B, 5, H, W): both planes, their squares, the mask."""
    return torch.cat([planes, planes.square(), mask[:, None]], 1)


def _scores(a: Tensor, b: Tensor, size: int, mask_a: Tensor, mask_b: Tensor) -> Tensor:
    """(B, size, size) scores of all shifts from the spectra (5, ...) and (B, 5, ...) of `_parts`."""

    def correlation(i: int, j: int) -> Tensor:
        shifts: Tensor = torch.fft.irfft2(a[i] * b[:, j], (size, size))
        return shifts

    overlap = correlation(4, 4)
    count = overlap.clamp_min(1)
    total = torch.zeros_like(overlap)
    for plane in (0, 1):
        sum_a, sum_b = correlation(plane, 4), correlation(4, plane)
        covariance = correlation(plane, plane) - sum_a * sum_b / count
        variance_a = (correlation(2 + plane, 4) - sum_a * sum_a / count).clamp_min(
            0
        ) + FLOOR * count
        variance_b = (correlation(4, 2 + plane) - sum_b * sum_b / count).clamp_min(
            0
        ) + FLOOR * count
        total += covariance * torch.rsqrt(variance_a * variance_b)
    share = overlap / torch.minimum(mask_a.sum(), mask_b.sum((1, 2)))[:, None, None]
    score = total / 2 * (share / FULL_OVERLAP).clamp(0, 1).sqrt()
    return torch.where(share > MIN_OVERLAP, score, score.new_tensor(-1.0))


def _matrix(linear: np.ndarray, shift_um: np.ndarray, fixed: Section, moving: Section) -> Matrix:
    """Fixed µm → moving µm of a chart match: moving = linear · (fixed − centre_fixed − shift) +
    centre_moving.
    """
    matrix = np.eye(3)
    matrix[:2, :2] = linear
    matrix[:2, 2] = np.asarray(moving.centre_um) - linear @ (np.asarray(fixed.centre_um) + shift_um)
    return matrix


def distinct(
    ranked: list[Hypothesis], fixed: Section, count: int, apart: float
) -> list[Hypothesis]:
    """The first `count` that differ by more than `apart` of the section's radius at a corner of its
    frame.
    """
    if not ranked:
        return []
    matrices = np.stack([item.matrix for item in ranked])
    corners = matrices @ np.vstack([fixed.frame.corners_um.T, np.ones(4)])
    nearest = apart * np.sqrt(np.abs(np.linalg.det(matrices[:, :2, :2]))) * fixed.radius_um
    kept: list[int] = []
    for index, here in enumerate(corners):
        if len(kept) < count and (np.abs(here - corners[kept]).max((1, 2)) > nearest[index]).all():
            kept.append(index)
    return [ranked[index] for index in kept]
