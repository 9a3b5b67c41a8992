"""Look at what a registration came to, and note what speaks for it and against it."""

from __future__ import annotations

import numpy as np

from stainbridge.geometry.transform import Affine, Transform
from stainbridge.metrics.fields import jacobian_scores
from stainbridge.registration.sections.section import Section
from stainbridge.registration.verdict.agreement import agreement
from stainbridge.registration.verdict.evidence import Evidence
from stainbridge.registration.verdict.verification import Verification, similarities


def gather(
    fixed: Section,
    moving: Section,
    affine: Affine,
    checked: Verification,
    final: Transform,
    disagreement_um: float = float("nan"),
) -> Evidence:
    """Look at a final map and at the affine it grew from, whose verification is `checked`."""
    before = agreement(fixed, moving, affine)
    after = before if final is affine else agreement(fixed, moving, final)
    local_ncc, edges = similarities(fixed, moving, final)
    diagonal_um = fixed.frame.diagonal_um
    return Evidence(
        overlap=checked.overlap,
        sharpness=checked.sharpness,
        affine_score=checked.score,
        affine_share=before.share,
        affine_lead=before.lead,
        local_ncc=local_ncc,
        edges=edges,
        share=after.share,
        lead=after.lead,
        area_spread=jacobian_scores(final, fixed.frame.fit(128)).log_deviation,
        bend=_bend_um(affine, final, fixed) / diagonal_um,
        disagreement=disagreement_um / diagonal_um,
    )


def _bend_um(affine: Affine, final: Transform, fixed: Section) -> float:
    points = fixed.frame.fit(64).centres_um()
    return float(np.sqrt(np.square(affine.inverse()(final(points)) - points).sum(axis=1).mean()))
