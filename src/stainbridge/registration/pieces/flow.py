"""Register slides of several pieces: the whole where it holds, else piece by piece.

A section broken into fragments that lie as they should is one registration. Pieces that were
moved, turned or swapped are not: each is matched to its counterpart and registered on its own. What
the evidence supports for more of the tissue stands.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from stainbridge.geometry.piecewise import PieceRegion
from stainbridge.geometry.transform import Transform
from stainbridge.progress import Progress
from stainbridge.registration.attempt import Attempt, span_progress
from stainbridge.registration.pieces.assess import assess_piece, measure_cover
from stainbridge.registration.pieces.matching import Match, match_pieces
from stainbridge.registration.pieces.piece import Piece, find_regions, read_piece
from stainbridge.registration.stages.record import StageRecord
from stainbridge.registration.stages.stage import Problem
from stainbridge.registration.verdict.evidence import Evidence
from stainbridge.registration.verdict.judge import Judge, Verdict, rank_verdict
from stainbridge.registration.verdict.misfit import Misfit

#: Pieces below this share of their slide's tissue are not matched: too little to tell apart.
LEAST_SHARE = 0.03
#: A piece of the moving slide lies where it should where this share of it is on fixed tissue.
LEAST_COVER = 0.5

#: A piece is most of its slide's tissue from this share of it.
DOMINANT_SHARE = 0.8
#: A piece fits well under the whole slide's transform where this error or less is expected, in
#: diagonals of the piece; where more, it may do better on its own.
WELL_PREDICTED = 0.0019
#: By how much more of the tissue, as a share, must be supported for pieces to replace the whole.
LEAST_GAIN = 0.02
#: Share of the whole's expected error below which pieces replace it, where both are supported.
LEAST_IMPROVEMENT = 0.9
#: What is said of a piece that could be either of two.
AMBIGUOUS = "another piece fits about as well"

#: What is said of a pair of pieces that nothing was found for.
NO_PLACEMENT = "no placement with enough overlap was found"

#: Registers one problem; None where no placement is found.
Register = Callable[[Problem, Progress], Attempt | None]


@dataclass(frozen=True, eq=False)
class PlacedPiece:
    """A piece of the fixed slide, and what is known of its place on the moving one."""

    piece: Piece
    """The piece."""
    partner: Piece | None = None
    """Its counterpart; None where it has none."""
    transform: Transform | None = None
    """Moving from fixed, on this piece; None where it has no partner."""
    verdict: Verdict | None = None
    """What the transform is worth there."""
    evidence: Evidence | None = None
    """What it was judged by."""
    records: tuple[StageRecord, ...] = ()
    """The stages of its own registration; none where the whole slide's holds."""
    misfit: Misfit | None = None
    """Where it would rather lie elsewhere; None where that was not measured on its own."""

    @property
    def area_um2(self) -> float:
        """Area of the piece."""
        return self.piece.region.area_um2

    @property
    def predicted_um(self) -> float:
        """Expected error in µm; not a number without a partner."""
        if self.verdict is None:
            return float("nan")
        return self.verdict.predicted * self.piece.section.tissue_um

    @property
    def bound_um(self) -> float:
        """What nine of ten such pieces stay below, in µm; not a number without a partner."""
        if self.verdict is None:
            return float("nan")
        return self.verdict.bound * self.piece.section.tissue_um

    @property
    def credit(self) -> float:
        """How far it is supported by evidence: 1 where `ok`, half where `fallback`, else 0."""
        if self.verdict is None:
            return 0.0
        return {"ok": 1.0, "fallback": 0.5, "failed": 0.0}[self.verdict.status]


@dataclass(frozen=True, eq=False)
class PiecewiseResult:
    """How the pieces of two slides lie on each other."""

    placed: tuple[PlacedPiece, ...]
    """Every piece of the fixed slide, the largest first."""
    others: tuple[Piece, ...]
    """Every piece of the moving slide, the largest first."""
    alone: tuple[int, ...]
    """Numbers of the pieces of the moving slide without a partner."""
    is_whole: bool
    """Whether one transform of the whole slide holds for all."""

    @property
    def support(self) -> float:
        """Share of the fixed tissue that the evidence supports, `fallback` counted half."""
        total = sum(item.area_um2 for item in self.placed)
        return sum(item.area_um2 * item.credit for item in self.placed) / total

    @property
    def expected_um(self) -> float:
        """Expected error, the mean over the tissue of the pieces that are placed."""
        placed = [item for item in self.placed if item.credit > 0]
        weighted = sum(item.area_um2 * item.predicted_um for item in placed)
        return weighted / sum(item.area_um2 for item in placed)


def find_pieces(problem: Problem) -> tuple[tuple[PieceRegion, ...], tuple[PieceRegion, ...]]:
    """Return the pieces of both slides, those of the fixed one first."""
    fixed, moving = problem.sections
    return find_regions(fixed), find_regions(moving)


def read_pieces(
    problem: Problem, regions: tuple[Sequence[PieceRegion], Sequence[PieceRegion]], longest_px: int
) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
    """Read the pieces of both slides; those that show nothing at their own scale are left out."""
    fixed, moving = (
        tuple(
            piece
            for region in own
            if (piece := read_piece(slide, region, longest_px, mask, whole.illumination))
        )
        for slide, mask, whole, own in zip(
            problem.slides, problem.masks, problem.sections, regions, strict=True
        )
    )
    return fixed, moving


def assess_whole(
    pieces: tuple[Sequence[Piece], Sequence[Piece]], attempt: Attempt, judge: Judge
) -> PiecewiseResult:
    """Measure one transform of the whole slides on each piece.

    A piece that is most of its slide's tissue has the evidence of the whole, which saw it closer.
    """
    fixed, moving = pieces
    transform = attempt.state.solution
    assert transform is not None
    total_um2 = sum(piece.region.area_um2 for piece in fixed)
    placed = []
    partners = set()
    for piece in fixed:
        assessment = assess_piece(piece, moving, transform)
        if assessment.partner is None or assessment.evidence is None:
            placed.append(PlacedPiece(piece))
            continue
        partners.add(assessment.partner)
        partner = moving[assessment.partner]
        is_most = piece.region.area_um2 >= DOMINANT_SHARE * total_um2
        evidence = attempt.evidence if is_most else assessment.evidence
        verdict = attempt.judge(judge) if is_most else judge(evidence)
        placed.append(PlacedPiece(piece, partner, transform, verdict, evidence))
    regions = [piece.region for piece in fixed]
    back = transform.inverse()
    alone = tuple(
        number
        for number, piece in enumerate(moving)
        if number not in partners and measure_cover(piece.region, regions, back) < LEAST_COVER
    )
    return PiecewiseResult(tuple(placed), tuple(moving), alone, is_whole=True)


def holds_everywhere(result: PiecewiseResult) -> bool:
    """Whether every piece that is large enough to tell fits well where it has a partner.

    Pieces without one are no objection where all are on one slide: there is nothing to match.
    """
    large = _select_large([item.piece for item in result.placed])
    placed = result.placed[: len(large)]
    fixed_alone = any(item.verdict is None for item in placed)
    moving_alone = any(number < len(_select_large(result.others)) for number in result.alone)
    return not (fixed_alone and moving_alone) and all(
        item.verdict is None
        or (item.verdict.status == "ok" and item.verdict.predicted < WELL_PREDICTED)
        for item in placed
    )


def register_each(
    problem: Problem,
    pieces: tuple[Sequence[Piece], Sequence[Piece]],
    whole: PiecewiseResult | None,
    working_px: int,
    register: Register,
    judge: Judge,
    progress: Progress,
) -> PiecewiseResult:
    """Match the pieces of both slides and register each pair.

    Where the whole slide's transform is the more trusted one for a piece and its partner, it stands
    for that piece.
    """
    large = _select_large(pieces[0]), _select_large(pieces[1])
    progress("match pieces", 0.0)
    matches = match_pieces(*large, problem)
    share = 1 / (len(matches) + 1)
    placed: dict[int, PlacedPiece] = {}
    for done, match in enumerate(matches, 1):
        part = span_progress(progress, done * share, (done + 1) * share)
        outcome = _register_pair(problem, large, match, working_px, register, judge, part)
        if outcome is not None:
            placed[match.fixed] = outcome
    taken = {id(outcome.partner) for outcome in placed.values() if outcome.credit > 0}
    everything = tuple(
        _prefer_whole(placed.get(number, PlacedPiece(piece)), whole.placed[number], taken)
        if whole
        else placed.get(number, PlacedPiece(piece))
        for number, piece in enumerate(pieces[0])
    )
    partners = {id(outcome.partner) for outcome in everything if outcome.credit > 0}
    alone = tuple(n for n, piece in enumerate(pieces[1]) if id(piece) not in partners)
    return PiecewiseResult(everything, tuple(pieces[1]), alone, is_whole=False)


def choose_result(whole: PiecewiseResult, each: PiecewiseResult) -> PiecewiseResult:
    """Return what the evidence supports for more of the tissue, or as much of it more exactly."""
    if abs(each.support - whole.support) > LEAST_GAIN:
        return each if each.support > whole.support else whole
    return each if each.expected_um < LEAST_IMPROVEMENT * whole.expected_um else whole


def _select_large(pieces: Sequence[Piece]) -> Sequence[Piece]:
    """Return the pieces that are large enough to be told apart; they come first."""
    total = sum(piece.region.area_um2 for piece in pieces)
    return [piece for piece in pieces if piece.region.area_um2 >= LEAST_SHARE * total]


def _register_pair(
    problem: Problem,
    pieces: tuple[Sequence[Piece], Sequence[Piece]],
    match: Match,
    working_px: int,
    register: Register,
    judge: Judge,
    progress: Progress,
) -> PlacedPiece | None:
    """Register a piece and its counterpart at working resolution; None where these show nothing.

    The match is where the stages begin; where that does not convince, all is searched. Where
    nothing convinces, the verdict is `failed` and there is no transform.
    """
    small = pieces[0][match.fixed], pieces[1][match.moving]
    closer = [
        read_piece(slide, piece.region, working_px, mask, piece.section.illumination)
        for slide, piece, mask in zip(problem.slides, small, problem.masks, strict=True)
    ]
    fixed, moving = closer
    if fixed is None or moving is None:
        return None
    own = replace(
        problem,
        sections=(fixed.section, moving.section),
        masks=(fixed.mask, moving.mask),
        initial_transform=match.placement,
    )
    attempts = [register(own, progress)]
    if attempts[0] is None or attempts[0].judge(judge).status != "ok":
        attempts.append(register(replace(own, initial_transform=None), progress))
    found = [(attempt.judge(judge), attempt) for attempt in attempts if attempt is not None]
    if not found:
        nothing = Verdict("failed", NO_PLACEMENT, float("nan"), float("nan"))
        return PlacedPiece(*_name_pair(pieces, match), verdict=nothing)
    verdict, attempt = min(found, key=lambda item: rank_verdict(item[0]))
    if verdict.status == "failed":
        return PlacedPiece(*_name_pair(pieces, match), verdict=verdict, records=attempt.records)
    if match.is_ambiguous:
        verdict = replace(verdict, status="fallback", reason=f"{AMBIGUOUS}; {verdict.reason}")
    return PlacedPiece(
        *_name_pair(pieces, match),
        attempt.state.solution,
        verdict,
        attempt.evidence,
        attempt.records,
        attempt.misfit,
    )


def _name_pair(
    pieces: tuple[Sequence[Piece], Sequence[Piece]], match: Match
) -> tuple[Piece, Piece]:
    return pieces[0][match.fixed], pieces[1][match.moving]


def _prefer_whole(own: PlacedPiece, whole: PlacedPiece, taken: set[int]) -> PlacedPiece:
    """Return what is the more trusted for a piece: its own registration, or the whole slide's.

    `taken` are the counterparts of pieces that were registered on their own.
    """
    if whole.verdict is None or whole.verdict.status == "failed":
        return own
    if own.verdict is None or own.credit == 0:
        return own if id(whole.partner) in taken else whole
    if own.partner is not whole.partner:
        return own
    return own if rank_verdict(own.verdict) <= rank_verdict(whole.verdict) else whole
