"""Global search: where one section lies on the other, whatever its rotation, flip, shift and scale.

Every candidate rotation of the moving section is correlated with the fixed one at every shift at
once, by masked normalised cross-correlation in the Fourier domain (Padfield 2012,
doi:10.1109/TIP.2011.2181402). The mask is the tissue with a margin, so the outline counts and the
glass does not. Two planes are correlated: density, which survives partial overlap, and gradient
magnitude, which survives stains that invert the contrast.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, ClassVar, Literal

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stainbridge.compute import parallel_map
from stainbridge.geometry.transform import Transform
from stainbridge.ranges import Within, check_ranges
from stainbridge.registration.sections.section import Section
from stainbridge.registration.stages.affine import rank_hypotheses
from stainbridge.registration.stages.features import match_features
from stainbridge.registration.stages.hypothesis import (
    Hypothesis,
    make_rigid,
    select_distinct,
    sort_hypotheses,
)
from stainbridge.registration.stages.stage import (
    Phase,
    Problem,
    Proposal,
    Stage,
    StageConfig,
    StageProgress,
    State,
)
from stainbridge.types import Matrix

#: Least overlap, as a share of the smaller section; less is a correlation over next to nothing.
MIN_OVERLAP = 0.35
#: From this share on more overlap is no better.
FULL_OVERLAP = 0.7
#: Added to local variances, for near-blank overlaps correlate by chance.
VARIANCE_FLOOR = 0.1
#: Half the side of a chart, in radii of its section.
CHART_MARGIN = 1.15
#: Period of the correlation, as a share of the sum of both charts' sizes. It is too short to keep
#: shifts apart from their wrapped ones, but those that are mixed up overlap too little to count.
PERIOD_SHARE = 0.65
#: Placements nearer than this share of the section's radius are one.
DISTINCT_RADIUS_SHARE = 0.15
#: Scales to try where both pixel sizes are known.
CALIBRATED_SCALES = (0.9, 1.0, 1.11)
#: Ratios of the sections' sizes that scales of 0.5 to 2 cover.
COVERED_RATIOS = (0.45, 2.2)
#: Scales to try about the ratio of the sections' sizes where these do not cover it.
RATIO_FACTORS = (0.71, 0.84, 1.0, 1.19, 1.41)
#: Longest side, in pixels, of the grid that the affine part of a given transform is fitted on.
AFFINE_FIT_PX = 32
#: Rotations that are correlated at once: they stay in the processor's cache.
CHUNK = 16


@dataclass(frozen=True)
class SearchConfig(StageConfig):
    """Settings of the global search.

    Example:
        >>> search = stainbridge.SearchConfig(angles=72, hypotheses=12)
        >>> stainbridge.RegisterConfig().with_stage(search).stages[0].angles
        72

    """

    kind: Literal["search"] = field(default="search", kw_only=True)
    """The stage's name in a pipeline file."""
    chart_px: Annotated[int, Within(16, 512)] = 48
    """Side of the charts that are correlated, in pixels."""
    angles: Annotated[int, Within(1, 3600)] = 48
    """Rotations to try over 360°."""
    scales: Annotated[int, Within(1, 200)] = 11
    """Scales to try from 0.5 to 2, where pixel sizes are unknown."""
    candidates: Annotated[int, Within(1, 100_000)] = 250
    """Best correlations that are ranked by local NCC."""
    hypotheses: Annotated[int, Within(1, 1000)] = 8
    """Best of these that later stages refine."""
    features_px: Annotated[int, Within(64, 8192)] = 512
    """Longest side of the pictures that point features are matched on, for one more candidate."""

    def __post_init__(self) -> None:
        check_ranges(self)


@dataclass(frozen=True, eq=False)
class SearchStage(Stage):
    """The global search, or the affine part of a transform that was handed in."""

    config: SearchConfig
    kind: ClassVar[str] = "search"
    name: ClassVar[str] = "search"
    phase: ClassVar[Phase] = "placement"
    config_type: ClassVar[type[StageConfig]] = SearchConfig
    needs_candidates: ClassVar[bool] = False
    last_resort: ClassVar[bool] = True

    def __call__(self, state: State, progress: StageProgress) -> Proposal | None:  # noqa: ARG002
        """Propose the most promising placements over all angles, flips, shifts and scales."""
        problem = state.problem
        if problem.initial_transform is not None:
            matrix = _fit_affine(problem.initial_transform, problem.sections[0])
            return Proposal((_fit_model(Hypothesis(matrix, 0.0), problem),))
        config = self.config
        threads = problem.context.threads
        limit_deg = problem.max_rotation_deg
        flips = (False, True) if problem.allow_flip else (False,)
        searches = (
            partial(
                search_placements,
                *problem.sections,
                config,
                flips=flips,
                max_rotation_deg=limit_deg,
                threads=threads,
                scales=(1.0,) if problem.is_rigid else None,
            ),
            partial(
                match_features,
                *problem.sections,
                allow_flip=problem.allow_flip,
                size_px=config.features_px,
            ),
        )
        candidates, matched = parallel_map(lambda search: search(), searches, threads)
        candidates += [
            _fit_model(hypothesis, problem)
            for hypothesis in matched
            if abs(problem.make_affine(hypothesis).rotation_deg) <= limit_deg
        ]
        if not candidates:
            return None
        return Proposal(tuple(rank_hypotheses(*problem.sections, candidates, config.hypotheses)))


def _fit_model(hypothesis: Hypothesis, problem: Problem) -> Hypothesis:
    """Return a hypothesis as rigid as the problem asks for."""
    return make_rigid(hypothesis, problem.sections[0]) if problem.is_rigid else hypothesis


def search_placements(
    fixed: Section,
    moving: Section,
    config: SearchConfig,
    *,
    flips: tuple[bool, ...] = (False, True),
    max_rotation_deg: float = 180.0,
    threads: int = 1,
    scales: Sequence[float] | None = None,
) -> list[Hypothesis]:
    """Return the best distinct placements, best first; flips and scales run in parallel.

    `scales`, moving µm per fixed µm, take the place of those that are usually tried.
    """
    if scales is None:
        scales = candidate_scales(fixed, moving, config.scales)
    pitch_um = 2 * CHART_MARGIN * fixed.radius_um / config.chart_px
    upright = torch.eye(2)[None]
    chart = _make_planes(*_draw_chart(fixed, upright, pitch_um, config.chart_px))

    def match_chart(piece: tuple[bool, float]) -> list[Hypothesis]:
        flip, scale = piece
        turns = _make_turns(config.angles, flip, max_rotation_deg)
        own_size = 2 * CHART_MARGIN * moving.radius_um / (pitch_um * scale)
        size = int(np.clip(own_size, 16, 2 * config.chart_px))
        planes = _make_planes(*_draw_chart(moving, turns, pitch_um * scale, size))
        scores, shifts = _correlate(chart, planes)
        return [
            Hypothesis(_place(turn * scale, shift * pitch_um, fixed, moving), float(score))
            for turn, score, shift in zip(turns.double().cpu().numpy(), scores, shifts, strict=True)
        ]

    pieces = [(flip, scale) for scale in scales for flip in flips]
    matches = parallel_map(match_chart, pieces, threads)
    hypotheses = sort_hypotheses([hypothesis for piece in matches for hypothesis in piece])
    return select_distinct(hypotheses, fixed, config.candidates, DISTINCT_RADIUS_SHARE)


def candidate_scales(fixed: Section, moving: Section, count: int) -> list[float]:
    """Return scales to try, moving µm per fixed µm.

    About 1 where both pixel sizes are known, else 0.5 to 2 and what the sections' areas say.
    """
    if fixed.frame.calibrated and moving.frame.calibrated:
        return list(CALIBRATED_SCALES)
    scales = list(2.0 ** np.linspace(-1, 1, count))
    ratio = float(np.sqrt(moving.area_um2 / fixed.area_um2))
    low, high = COVERED_RATIOS
    if not low < ratio < high:
        scales += [ratio * factor for factor in RATIO_FACTORS]
    return scales


def _make_turns(count: int, flip: bool, limit_deg: float) -> Tensor:
    """Return (B, 2, 2) rotations, mirrored in x first where flipped."""
    angles = np.arange(count) * 2 * np.pi / count
    angles = angles[np.abs((np.degrees(angles) + 180) % 360 - 180) <= limit_deg + 1e-6]
    cos, sin = np.cos(angles), np.sin(angles)
    rotations = np.stack([np.stack([cos, -sin], -1), np.stack([sin, cos], -1)], -2)
    return torch.tensor(rotations @ np.diag([-1.0 if flip else 1.0, 1.0]), dtype=torch.float32)


def _draw_chart(
    section: Section, turns: Tensor, pitch_um: float, size: int
) -> tuple[Tensor, Tensor]:
    """Return density and outline, each (B, size, size), of the section turned about its centre.

    A pixel is `pitch_um` wide.
    """
    longest = max(section.frame.size_um) / pitch_um
    _, density, outline = section.density_at(max(8, round(longest)))
    offset = (torch.arange(size) + 0.5 - size / 2) * pitch_um
    x, y = torch.meshgrid(offset, offset, indexing="xy")
    centre = torch.tensor(section.centre_um)
    points = torch.einsum("bij,hwj->bhwi", turns, torch.stack([x, y], -1)) + centre
    both = torch.cat([density * outline, outline], 1).expand(len(turns), -1, -1, -1)
    sampled = F.grid_sample(both, section.normalise(points.float()), align_corners=False)
    weight = sampled[:, 1]
    return sampled[:, 0] / weight.clamp_min(0.5), (weight > 0.5).float()


def _make_planes(density: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Return (B, 2, H, W) planes of zero mean and unit variance inside `mask`, and the mask."""
    padded = F.pad(density[:, None], (1, 1, 1, 1), mode="replicate")[:, 0]
    dx = padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2]
    dy = padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1]
    edges = _standardise((dx * dx + dy * dy + 1e-6).sqrt(), mask).clamp(-2, 3)
    return torch.stack([_standardise(density, mask), edges], 1), mask


def _standardise(x: Tensor, mask: Tensor) -> Tensor:
    count = mask.sum((1, 2), keepdim=True).clamp_min(1)
    x = (x - (x * mask).sum((1, 2), keepdim=True) / count) * mask
    return x / (x.square().sum((1, 2), keepdim=True) / count).sqrt().clamp_min(1e-4)


def _correlate(
    fixed: tuple[Tensor, Tensor], moving: tuple[Tensor, Tensor]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the best masked NCC of each turned chart and the shift there.

    (B,) scores and (B, 2) chart pixels: where the moving chart's centre falls relative to the fixed
    one's.
    """
    (a, mask_a), (b, mask_b) = fixed, moving
    size_a, size_b = a.shape[-1], b.shape[-1]
    size = cv2.getOptimalDFTSize(round(PERIOD_SHARE * (size_a + size_b)))
    spectrum_a = torch.fft.rfft2(_stack_terms(a, mask_a), (size, size))[0]
    scores = []
    shifts = []
    for first in range(0, len(b), CHUNK):
        planes = b[first : first + CHUNK]
        mask = mask_b[first : first + CHUNK]
        spectra = torch.fft.rfft2(_stack_terms(planes, mask), (size, size)).conj()
        best, index = _score_shifts(spectrum_a, spectra, size, mask_a, mask).flatten(1).max(1)
        shift = torch.stack([index % size, index // size], 1) + (size_b - size_a) / 2
        scores.append(best)
        shifts.append((shift + size / 2) % size - size / 2)
    return torch.cat(scores).cpu().numpy(), torch.cat(shifts).double().cpu().numpy()


def _stack_terms(planes: Tensor, mask: Tensor) -> Tensor:
    """Return (B, 5, H, W): both planes, their squares, the mask."""
    return torch.cat([planes, planes.square(), mask[:, None]], 1)


def _score_shifts(a: Tensor, b: Tensor, size: int, mask_a: Tensor, mask_b: Tensor) -> Tensor:
    """Return (B, size, size) scores of all shifts from spectra (5, ...) and (B, 5, ...)."""

    def correlate_terms(i: int, j: int) -> Tensor:
        shifts: Tensor = torch.fft.irfft2(a[i] * b[:, j], (size, size))
        return shifts

    overlap = correlate_terms(4, 4)
    count = overlap.clamp_min(1)
    total = torch.zeros_like(overlap)
    floor = VARIANCE_FLOOR * count
    for plane in (0, 1):
        sum_a, sum_b = correlate_terms(plane, 4), correlate_terms(4, plane)
        covariance = correlate_terms(plane, plane) - sum_a * sum_b / count
        squares_a, squares_b = correlate_terms(2 + plane, 4), correlate_terms(4, 2 + plane)
        variance_a = (squares_a - sum_a * sum_a / count).clamp_min(0) + floor
        variance_b = (squares_b - sum_b * sum_b / count).clamp_min(0) + floor
        total += covariance * torch.rsqrt(variance_a * variance_b)
    share = overlap / torch.minimum(mask_a.sum(), mask_b.sum((1, 2)))[:, None, None]
    score = total / 2 * (share / FULL_OVERLAP).clamp(0, 1).sqrt()
    return torch.where(share > MIN_OVERLAP, score, score.new_tensor(-1.0))


def _place(linear: np.ndarray, shift_um: np.ndarray, fixed: Section, moving: Section) -> Matrix:
    """Return fixed µm → moving µm of a chart match.

    moving = linear · (fixed − fixed centre − shift) + moving centre.
    """
    matrix = np.eye(3)
    matrix[:2, :2] = linear
    matrix[:2, 2] = np.asarray(moving.centre_um) - linear @ (np.asarray(fixed.centre_um) + shift_um)
    return matrix


def _fit_affine(transform: Transform, fixed: Section) -> Matrix:
    """Return the affine map, (3, 3), that fits a transform best over the fixed section."""
    points = fixed.frame.fit(AFFINE_FIT_PX).centres_um()
    homogeneous = np.c_[points, np.ones(len(points))]
    rows = np.linalg.lstsq(homogeneous, transform(points), rcond=None)[0].T
    return np.vstack([rows, [0, 0, 1]])
