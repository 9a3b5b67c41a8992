"""Whether one transform of whole slides holds for each piece of tissue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from stainbridge.geometry.fit import fit_affine
from stainbridge.geometry.piecewise import PieceRegion
from stainbridge.geometry.transform import Affine, Transform
from stainbridge.registration.pieces.piece import Piece
from stainbridge.registration.verdict.collect import collect_evidence
from stainbridge.registration.verdict.evidence import Evidence
from stainbridge.registration.verdict.verification import verify
from stainbridge.types import Points

#: Points of a region that are looked at, about.
POINTS = 2000
#: A piece has a partner where at least this share of the smaller of the two lies on the other.
LEAST_OVERLAP = 0.3


@dataclass(frozen=True, eq=False)
class Assessment:
    """What a transform does to one piece of the fixed slide."""

    partner: int | None
    """Number of the piece of the moving slide that it falls on; None: on glass."""
    evidence: Evidence | None
    """For and against the transform there; None where there is no partner."""


def assess_piece(piece: Piece, others: Sequence[Piece], transform: Transform) -> Assessment:
    """Measure a transform on one piece of the fixed slide against the piece that it falls on.

    Where it falls on several, because the slide is torn there, none of them leaves it without a
    counterpart.
    """
    shares = [measure_overlap(piece.region, other.region, transform) for other in others]
    best = int(np.argmax(shares))
    if shares[best] < LEAST_OVERLAP:
        return Assessment(None, None)
    evidence = measure_piece(piece, others[best], transform)
    cover = measure_cover(piece.region, [other.region for other in others], transform)
    return Assessment(best, replace(evidence, overlap=max(evidence.overlap, cover)))


def measure_piece(piece: Piece, partner: Piece, transform: Transform) -> Evidence:
    """Collect the evidence for a transform on one pair of pieces."""
    affine = _fit_piece(piece.region, transform)
    sections = piece.section, partner.section
    return collect_evidence(*sections, affine, verify(*sections, affine), transform)


def measure_overlap(fixed: PieceRegion, moving: PieceRegion, transform: Transform) -> float:
    """Return the share of the smaller of two regions that lies on the other under a transform."""
    covered = moving.contains(transform(_spread(fixed.points_um))).mean()
    moving_area_um2 = moving.area_um2 / _fit_piece(fixed, transform).scale ** 2
    smaller_um2 = min(fixed.area_um2, moving_area_um2)
    return float(min(1.0, covered * fixed.area_um2 / smaller_um2))


def measure_cover(piece: PieceRegion, others: Sequence[PieceRegion], transform: Transform) -> float:
    """Return the share of a piece of one slide that a transform takes to tissue of the other."""
    points = transform(_spread(piece.points_um))
    return float(np.any([region.contains(points) for region in others], axis=0).mean())


def _fit_piece(region: PieceRegion, transform: Transform) -> Affine:
    """Return the affine map that fits a transform best on a piece."""
    points = _spread(region.points_um)
    return fit_affine(points, transform(points), transform.source, transform.target)


def _spread(points_um: Points) -> Points:
    """Return at most about `POINTS` of (N, 2) points, evenly."""
    return points_um[:: max(1, len(points_um) // POINTS)]
