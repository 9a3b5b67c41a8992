"""Collect the evidence for and against a registration."""

from __future__ import annotations

import numpy as np

from stainbridge.geometry.transform import Affine, Transform
from stainbridge.metrics.fields import score_jacobian
from stainbridge.registration.sections.section import Section
from stainbridge.registration.verdict.agreement import measure_agreement
from stainbridge.registration.verdict.evidence import Evidence
from stainbridge.registration.verdict.verification import Verification, measure_similarities

#: Longest side in pixels of the frame that area factors are measured on.
AREA_PX = 128
#: Longest side in pixels of the frame that the deformation is measured on.
DEFORMATION_PX = 64


def collect_evidence(
    fixed: Section,
    moving: Section,
    affine: Affine,
    verification: Verification,
    transform: Transform,
    disagreement_um: float = float("nan"),
) -> Evidence:
    """Measure a final transform and the affine placement it grew from.

    `verification` is the placement's; `disagreement_um` the median distance between the forward and
    the backward registration, where both were run.
    """
    before = measure_agreement(fixed, moving, affine)
    after = before if transform is affine else measure_agreement(fixed, moving, transform)
    local_ncc, edges = measure_similarities(fixed, moving, transform)
    tissue_um = fixed.tissue_um
    return Evidence(
        overlap=verification.overlap,
        sharpness=verification.sharpness,
        affine_score=verification.score,
        affine_share=before.share,
        affine_lead=before.lead,
        local_ncc=local_ncc,
        edges=edges,
        share=after.share,
        lead=after.lead,
        area_spread=score_jacobian(transform, fixed.frame.fit(AREA_PX)).log_deviation,
        bend=_deformation_um(affine, transform, fixed) / tissue_um,
        disagreement=disagreement_um / tissue_um,
    )


def _deformation_um(affine: Affine, transform: Transform, fixed: Section) -> float:
    """Return the root mean square distance that the transform adds to its affine placement."""
    points = fixed.frame.fit(DEFORMATION_PX).centres_um()
    moved = affine.inverse()(transform(points))
    return float(np.sqrt(np.square(moved - points).sum(axis=1).mean()))
