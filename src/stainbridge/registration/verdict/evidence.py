"""What speaks for a registration and against it, measured without knowing the truth."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Evidence:
    """Of the affine placement and of the final map; see `verify.Verification` and
    `agreement.Agreement`.

    `overlap`, `sharpness`, `affine_score`, `affine_share`, `affine_lead`: the placement before
    anything is bent. `local_ncc`, `edges`, `share`, `lead`: the final map. `area_spread`: standard
    deviation of the logarithm of its area factor. `bend`: root mean square distance between the
    two, ÷ the fixed slide's diagonal. `disagreement`: the median distance between what the two
    directions say, likewise; nan where one was run.
    """

    overlap: float
    sharpness: float
    affine_score: float
    affine_share: float
    affine_lead: float
    local_ncc: float
    edges: float
    share: float
    lead: float
    area_spread: float
    bend: float
    disagreement: float = float("nan")
