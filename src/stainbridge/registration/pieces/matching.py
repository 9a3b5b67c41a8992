"""Which piece of one slide is which of the other: by content, whatever their order, turn and flip.

Every plausible pair is searched at small size. The best of each piece are refined and measured as a
verdict measures them. One optimal assignment decides; a piece may have no partner.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from stainbridge.compute import parallel_map
from stainbridge.geometry.transform import Affine
from stainbridge.registration.pieces.piece import Piece
from stainbridge.registration.sections.section import Section
from stainbridge.registration.stages.affine import (
    AffineConfig,
    rank_hypotheses,
    refine_hypotheses,
)
from stainbridge.registration.stages.hypothesis import Hypothesis
from stainbridge.registration.stages.search import SearchConfig, search_placements
from stainbridge.registration.stages.stage import Problem
from stainbridge.registration.verdict.collect import collect_evidence
from stainbridge.registration.verdict.judge import compute_measures
from stainbridge.registration.verdict.verification import verify
from stainbridge.types import Points

#: Longest side, in pixels, of the pieces that are matched.
MATCHING_PX = 256
#: Best pairs of each piece that are refined and measured.
SHORTLIST = 3
#: Area ratios of a piece and its partner where both pixel sizes are known, and where not.
AREA_RATIOS = (0.5, 2.0)
UNKNOWN_AREA_RATIOS = (0.1, 10.0)
#: Scales about 1 to try where both pixel sizes are known, at most.
CALIBRATED_SCALES = (0.85, 1.18)
#: Scales to try where they are not, about the root of the ratio of areas.
SCALE_FACTORS = (0.72, 0.85, 1.0, 1.18, 1.39)
#: Weights of the measures in a pair's index: the log-odds that it is no pair. They were fitted to
#: registrations of whole slides.
INDEX_WEIGHTS = {"lead": -1.788, "edges": -2.712, "sharpness": -0.402, "affine_share": -2.036}
#: Constant term of that index.
INDEX_OFFSET = -3.627
#: Index from which on no partner is better: the expected error is of chance.
NO_PARTNER_INDEX = 1.5
#: Two pairs whose indices differ by less fit about as well as each other.
AMBIGUOUS_INDEX = 1.0
#: Added to the index of a pair whose pieces lie a whole slide's tissue apart, as a share of it. It
#: tells like pieces apart by their places; unlike ones differ by far more.
LAYOUT_INDEX = 3.0
#: What stands for a pair that cannot be.
IMPOSSIBLE = 1e6


@dataclass(frozen=True)
class Effort:
    """How thoroughly pairs are searched."""

    search: SearchConfig
    """The search of one pair."""
    refinement: AffineConfig
    """The refinement of the best pairs of each piece."""


#: Every plausible pair: small charts.
QUICK = Effort(
    SearchConfig(chart_px=48, angles=36, candidates=48, hypotheses=6),
    AffineConfig(sizes_px=(64,), steps=(20,), survivors=(1,), varied=0),
)
#: Pieces that are left on both slides.
THOROUGH = Effort(
    SearchConfig(chart_px=64, angles=72, candidates=250, hypotheses=12),
    AffineConfig(sizes_px=(64, 128), steps=(30, 20), survivors=(4, 1), varied=2),
)
Costs = npt.NDArray[np.float64]  # (pieces of the fixed slide, pieces of the moving one)


@dataclass(frozen=True, eq=False)
class Match:
    """A piece of the fixed slide and one of the moving slide that belong together."""

    fixed: int
    """Number of the piece on the fixed slide."""
    moving: int
    """Number of the piece on the moving slide."""
    placement: Affine
    """Where the one lies on the other, roughly."""
    index: float
    """Index of the verdict, more for pieces in unlike places; lower is better."""
    rival_index: float
    """The lowest index of one of the two with another piece; infinite where there is none."""

    @property
    def is_ambiguous(self) -> bool:
        """Whether another piece fits about as well."""
        return self.rival_index - self.index < AMBIGUOUS_INDEX


@dataclass(frozen=True, eq=False)
class _Survey:
    """What the search says of one pair."""

    fixed: int
    moving: int
    hypotheses: list[Hypothesis]

    @property
    def score(self) -> float:
        return self.hypotheses[0].score


def match_pieces(
    fixed: Sequence[Piece], moving: Sequence[Piece], problem: Problem
) -> tuple[Match, ...]:
    """Return which pieces belong together, in the order of the fixed ones.

    `problem` says how far pieces may be turned, whether they may be mirrored, and the threads.
    """
    pairs = [
        (i, j)
        for i, one in enumerate(fixed)
        for j, other in enumerate(moving)
        if _is_plausible(one.section, other.section)
    ]
    table = _Table.measure(fixed, moving, problem, pairs, QUICK)
    partners = assign_partners(table.costs)
    left = [
        (i, j)
        for i, j in pairs
        if i not in {one for one, _ in partners} and j not in {other for _, other in partners}
    ]
    if left:  # what a quick search left on both slides is few, and worth a thorough one
        table = table.update(_Table.measure(fixed, moving, problem, left, THOROUGH))
        partners = assign_partners(table.costs)
    return tuple(
        Match(i, j, table.placements[i, j], float(table.costs[i, j]), find_rival(table.costs, i, j))
        for i, j in partners
    )


@dataclass(frozen=True, eq=False)
class _Table:
    """What is known of pairs of pieces."""

    costs: Costs
    """Index of each pair, more for pieces in unlike places."""
    placements: dict[tuple[int, int], Affine]
    """Where the one lies on the other, of the pairs that were measured."""

    @classmethod
    def measure(
        cls,
        fixed: Sequence[Piece],
        moving: Sequence[Piece],
        problem: Problem,
        pairs: Sequence[tuple[int, int]],
        effort: Effort,
    ) -> _Table:
        """Search some pairs, and measure the best of each piece."""
        threads = problem.context.threads
        survey_pair = partial(_survey_pair, fixed, moving, problem, effort)
        found = parallel_map(survey_pair, pairs, threads)
        shortlist = _shortlist([survey for survey in found if survey is not None])
        measure_pair = partial(_measure_pair, fixed, moving, problem, effort)
        measured = parallel_map(measure_pair, shortlist, threads)
        distances = measure_layout(fixed, moving)
        costs = np.full((len(fixed), len(moving)), IMPOSSIBLE)
        placements: dict[tuple[int, int], Affine] = {}
        for survey, (placement, index) in zip(shortlist, measured, strict=True):
            place = survey.fixed, survey.moving
            costs[place] = index + LAYOUT_INDEX * distances[place]
            placements[place] = placement
        return cls(costs, placements)

    def update(self, other: _Table) -> _Table:
        """Return the table with the better of two measurements of each pair."""
        better = {
            place: placement
            for place, placement in other.placements.items()
            if other.costs[place] <= self.costs[place]
        }
        return _Table(np.minimum(self.costs, other.costs), {**self.placements, **better})


def measure_layout(fixed: Sequence[Piece], moving: Sequence[Piece]) -> Costs:
    """Return how far apart each two pieces lie, in boxes around each slide's tissue."""
    ours, theirs = (_locate_in_box(pieces) for pieces in (fixed, moving))
    return np.asarray(np.linalg.norm(ours[:, None] - theirs[None], axis=2))


def _locate_in_box(pieces: Sequence[Piece]) -> Points:
    """Return the middles of pieces in the box around all of them, (N, 2) of 0 to 1."""
    corners = np.array([np.stack(piece.region.box_um) for piece in pieces])
    low, high = corners[:, 0].min(axis=0), corners[:, 1].max(axis=0)
    return np.asarray((corners.mean(axis=1) - low) / (high - low))


def assign_partners(costs: Costs) -> list[tuple[int, int]]:
    """Return the pairs (row, column) whose sum of costs is least, where none may have none.

    A pair that costs more than `NO_PARTNER_INDEX` is no pair.
    """
    from scipy.optimize import linear_sum_assignment  # takes long to import; one piece needs none

    rows, columns = costs.shape
    alone = NO_PARTNER_INDEX / 2
    square = np.full((rows + columns, rows + columns), IMPOSSIBLE)
    square[:rows, :columns] = costs
    square[:rows, columns:][np.diag_indices(rows)] = alone
    square[rows:, :columns][np.diag_indices(columns)] = alone
    square[rows:, columns:] = 0
    pairs = zip(*linear_sum_assignment(square), strict=True)
    return [(int(i), int(j)) for i, j in pairs if i < rows and j < columns]


def find_rival(costs: Costs, row: int, column: int) -> float:
    """Return the least cost of the row or the column beside the pair's own."""
    others = np.concatenate([np.delete(costs[row], column), np.delete(costs[:, column], row)])
    least = float(others.min(initial=IMPOSSIBLE))
    return least if least < IMPOSSIBLE else float("inf")


def _are_calibrated(fixed: Section, moving: Section) -> bool:
    return fixed.frame.calibrated and moving.frame.calibrated


def _is_plausible(fixed: Section, moving: Section) -> bool:
    """Whether two pieces are of about one size, as far as sizes are known."""
    low, high = AREA_RATIOS if _are_calibrated(fixed, moving) else UNKNOWN_AREA_RATIOS
    return low < moving.area_um2 / fixed.area_um2 < high


def _choose_scales(fixed: Section, moving: Section) -> list[float]:
    """Return scales to try about what the areas say, which stains that show less mislead."""
    ratio = float(np.sqrt(moving.area_um2 / fixed.area_um2))
    if _are_calibrated(fixed, moving):
        return [1.0, float(np.clip(ratio, *CALIBRATED_SCALES))]
    return [ratio * factor for factor in SCALE_FACTORS]


def _survey_pair(
    fixed: Sequence[Piece],
    moving: Sequence[Piece],
    problem: Problem,
    effort: Effort,
    pair: tuple[int, int],
) -> _Survey | None:
    """Search one pair; None where nothing overlaps enough."""
    i, j = pair
    sections = fixed[i].section, moving[j].section
    hypotheses = search_placements(
        *sections,
        effort.search,
        flips=(False, True) if problem.allow_flip else (False,),
        max_rotation_deg=problem.max_rotation_deg,
        scales=_choose_scales(*sections),
    )
    ranked = rank_hypotheses(*sections, hypotheses, effort.search.hypotheses)
    return _Survey(i, j, ranked) if ranked else None


def _shortlist(surveys: Sequence[_Survey]) -> list[_Survey]:
    """Return the pairs that are among the best of one of their two pieces."""
    kept: set[tuple[int, int]] = set()
    for side in ("fixed", "moving"):
        for number in {getattr(survey, side) for survey in surveys}:
            own = [survey for survey in surveys if getattr(survey, side) == number]
            own.sort(key=lambda survey: -survey.score)
            kept |= {(survey.fixed, survey.moving) for survey in own[:SHORTLIST]}
    return [survey for survey in surveys if (survey.fixed, survey.moving) in kept]


def _measure_pair(
    fixed: Sequence[Piece],
    moving: Sequence[Piece],
    problem: Problem,
    effort: Effort,
    survey: _Survey,
) -> tuple[Affine, float]:
    """Refine one pair; return its placement and its index."""
    sections = fixed[survey.fixed].section, moving[survey.moving].section
    best = refine_hypotheses(*sections, survey.hypotheses, effort.refinement)[0]
    placement = problem.make_affine(best)
    verification = verify(*sections, placement)
    evidence = collect_evidence(*sections, placement, verification, placement)
    measures = compute_measures(evidence)
    index = INDEX_OFFSET + sum(weight * measures[name] for name, weight in INDEX_WEIGHTS.items())
    return placement, index if np.isfinite(index) else IMPOSSIBLE
