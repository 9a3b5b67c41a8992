"""SbR-N: SbR without the contrastive losses, λ_geo = 0."""

from __future__ import annotations

from stainbridge.joint.sbr.sbr import PAPER, SMALL, SbrObjective, SbrTask
from stainbridge.joint.sbr.variant import Variant


def _without_contrast() -> SbrObjective:
    return SbrObjective(contrast=0.0)


VARIANT = Variant(
    SbrObjective,
    SbrTask,
    small=SMALL,
    paper=PAPER,
    make_objective=_without_contrast,
    needs_registration=True,
)
