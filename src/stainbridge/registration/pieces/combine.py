"""What the pieces of two slides make together: one transform, one verdict, one record a piece."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from statistics import NormalDist

import numpy as np

from stainbridge.geometry.fit import fit_affine
from stainbridge.geometry.piecewise import PieceRegion, Piecewise, TransformedPiece
from stainbridge.geometry.transform import Transform
from stainbridge.registration.pieces.flow import LEAST_SHARE, PiecewiseResult, PlacedPiece
from stainbridge.registration.pieces.piece import Piece
from stainbridge.registration.pieces.record import PieceRecord, PieceSide
from stainbridge.registration.stages.record import StageRecord
from stainbridge.registration.verdict.judge import (
    BOUND_SHARE,
    COMPLETE_OVERLAP,
    RegistrationStatus,
    Verdict,
)
from stainbridge.registration.verdict.misfit import Misfit
from stainbridge.types import Box

#: Share of a slide's tissue without a partner above which it is not `ok`: as much as may be missing
#: of one piece.
TOLERABLE_ALONE = 1 - COMPLETE_OVERLAP
#: The same where the other slide has such tissue too: pieces that belong together may have been
#: missed.
TOLERABLE_UNMATCHED = 0.05
#: Share of a slide's tissue without a partner that counts as none.
NEGLIGIBLE_ALONE = 0.01


def join_transforms(result: PiecewiseResult) -> Transform | None:
    """Return one transform of the whole slide, moving from fixed; None where no piece is placed."""
    placed = [item for item in result.placed if item.credit > 0]
    if not placed:
        return None
    if result.is_whole:
        return placed[0].transform
    return Piecewise(
        tuple(_transform_piece(item) for item in placed),
        source_alone=_join_regions([item.piece for item in result.placed if item.credit == 0]),
        target_alone=_join_regions([result.others[number] for number in result.alone]),
    )


def _join_regions(pieces: Sequence[Piece]) -> PieceRegion | None:
    """Return the region of all of some pieces of one slide; None without any."""
    if not pieces:
        return None
    masks = [piece.region.mask for piece in pieces]
    return PieceRegion(np.any(masks, axis=0), pieces[0].region.frame)


def _transform_piece(item: PlacedPiece) -> TransformedPiece:
    assert item.transform is not None
    assert item.partner is not None
    return TransformedPiece(item.transform, item.piece.region, item.partner.region)


def join_misfits(result: PiecewiseResult) -> Misfit:
    """Return where tissue of the pieces would rather lie elsewhere, as a share of all of it."""
    total_um2 = sum(item.area_um2 for item in result.placed)
    parts = [(item.misfit, item.area_um2) for item in result.placed if item.misfit is not None]
    share = sum(part.share * area_um2 for part, area_um2 in parts) / total_um2
    return Misfit(share, tuple(box for part, _ in parts for box in part.boxes_px))


def judge_pieces(result: PiecewiseResult, tissue_um: float) -> Verdict:
    """Return the verdict on the whole slide from those on its pieces.

    `ok` where every piece with a partner is, and little tissue is without one. Errors are relative
    to `tissue_um`, the diagonal of the fixed tissue.
    """
    placed = [item for item in result.placed if item.credit > 0]
    if not placed:
        return Verdict("failed", "no piece of tissue fits another", float("nan"), float("nan"))
    expected = result.expected_um / tissue_um
    bound = measure_bound_um(placed) / tissue_um
    doubts = [
        f"piece {number}: {_verdict(item).reason}"
        for number, item in enumerate(result.placed, 1)
        if item.verdict is not None and item.verdict.status != "ok"
    ]
    alone = measure_alone(result)
    fits = f"{len(placed)} of {len(result.placed)} pieces fit"
    status: RegistrationStatus = "fallback" if doubts or lacks_partners(*alone) else "ok"
    reason = "; ".join([fits, *_describe_alone(*alone), *doubts])
    return Verdict(status, reason, expected, bound)


def measure_bound_um(placed: Sequence[PlacedPiece]) -> float:
    """Return what all of the pieces stay below in nine of ten such slides, in µm.

    Of each, nine of ten do: the worst of many errs by more. Errors are taken to be log-normal.
    """
    each = BOUND_SHARE ** (1 / len(placed))
    stretch = NormalDist().inv_cdf(each) / NormalDist().inv_cdf(BOUND_SHARE)
    return max(
        item.predicted_um * math.pow(item.bound_um / item.predicted_um, stretch) for item in placed
    )


def doubt_pieces(verdict: Verdict, result: PiecewiseResult) -> Verdict:
    """Return the verdict on one transform of the whole slides, doubted where a piece does not fit.

    Pieces too small to be told apart are no doubt. Tissue without a partner is always named.
    """
    total = sum(item.area_um2 for item in result.placed)
    doubts = [
        f"piece {number}: {item.verdict.reason}"
        for number, item in enumerate(result.placed, 1)
        if item.verdict is not None
        and item.verdict.status != "ok"
        and item.area_um2 >= LEAST_SHARE * total
    ]
    alone = measure_alone(result)
    named = _describe_alone(*alone)
    if not doubts and not lacks_partners(*alone):
        return replace(verdict, reason="; ".join([verdict.reason, *named]))
    reason = "; ".join([*named, *doubts, f"all together: {verdict.reason}"])
    return replace(verdict, status="fallback", reason=reason)


def record_stages(result: PiecewiseResult) -> tuple[StageRecord, ...]:
    """Return the stages of every piece, each with the piece's number in its name."""
    return tuple(
        replace(record, name=f"piece {number}: {record.name}")
        for number, item in enumerate(result.placed, 1)
        for record in item.records
    )


def measure_alone(result: PiecewiseResult) -> tuple[float, float]:
    """Return the share of each slide's tissue that has no partner, fixed and moving."""
    fixed = [(item.area_um2, item.credit == 0) for item in result.placed]
    moving = [
        (piece.region.area_um2, number in result.alone)
        for number, piece in enumerate(result.others)
    ]
    shares = (
        sum(area for area, is_alone in pieces if is_alone) / sum(area for area, _ in pieces)
        for pieces in (fixed, moving)
    )
    return next(shares), next(shares)


def lacks_partners(fixed: float, moving: float) -> bool:
    """Whether too much tissue is without a partner: shares of the fixed and the moving slide's."""
    is_one_sided = min(fixed, moving) <= NEGLIGIBLE_ALONE
    return max(fixed, moving) > (TOLERABLE_ALONE if is_one_sided else TOLERABLE_UNMATCHED)


def _describe_alone(fixed: float, moving: float) -> list[str]:
    return [
        f"{share:.0%} of the {side} tissue has no counterpart"
        for side, share in (("fixed", fixed), ("moving", moving))
        if share > NEGLIGIBLE_ALONE
    ]


def _verdict(item: PlacedPiece) -> Verdict:
    assert item.verdict is not None
    return item.verdict


def record_pieces(result: PiecewiseResult) -> tuple[PieceRecord, ...]:
    """Return a record of every piece: pairs first, then those of the moving slide alone."""
    fixed_total = sum(item.area_um2 for item in result.placed)
    numbers = {id(piece): number for number, piece in enumerate(result.others, 1)}
    records = [
        _record_placed(item, number, fixed_total, numbers)
        for number, item in enumerate(result.placed, 1)
    ]
    failed = {
        numbers[id(item.partner)] - 1
        for item in result.placed
        if item.partner is not None and item.credit == 0
    }
    moving_total = sum(piece.region.area_um2 for piece in result.others)
    return (
        *records,
        *(
            _record_alone(result.others[number], number + 1, moving_total)
            for number in result.alone
            if number not in failed
        ),
    )


def _record_placed(
    item: PlacedPiece, number: int, total_um2: float, numbers: dict[int, int]
) -> PieceRecord:
    region = item.piece.region
    record = _record_region(region, f"fixed {number}", "fixed", total_um2)
    if item.verdict is None or item.partner is None:
        return record
    verdict = item.verdict
    record = replace(
        record,
        partner=f"moving {numbers[id(item.partner)]}",
        status=verdict.status,
        reason=verdict.reason,
        partner_box_px=_box_px(item.partner.region),
    )
    if item.credit == 0 or item.transform is None:
        return record
    points = region.points_um
    affine = fit_affine(
        points, item.transform(points), item.transform.source, item.transform.target
    )
    return replace(
        record,
        predicted_um=item.predicted_um,
        bound_um=item.bound_um,
        rotation_deg=affine.rotation_deg,
        flip=affine.flip,
    )


def _record_alone(piece: Piece, number: int, total_um2: float) -> PieceRecord:
    return _record_region(piece.region, f"moving {number}", "moving", total_um2)


def _record_region(
    region: PieceRegion, name: str, side: PieceSide, total_um2: float
) -> PieceRecord:
    """Return the record of a piece without a partner."""
    return PieceRecord(
        name=name,
        side=side,
        partner=None,
        status="alone",
        reason="no piece of the other slide fits",
        share=region.area_um2 / total_um2,
        diagonal_um=region.diagonal_um,
        box_px=_box_px(region),
    )


def _box_px(region: PieceRegion) -> Box:
    """Return the box around a piece in full-resolution pixels."""
    frame = region.frame.space.frame
    left, top, right, bottom = frame.to_px(np.stack(region.box_um)).ravel().tolist()
    return left, top, right, bottom
