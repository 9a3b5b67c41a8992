"""From evidence to an expected error, a bound on it, and a status: a small model, fitted where the truth is known.

The index is a weighted sum of a few measures: the log-odds of a median rTRE of 0.01 and more. Two curves that only rise
say which median rTRE goes with it, and which nine of ten did not exceed. The numbers stand in `calibration.json`, which
`benchmarks/verdict.py fit` writes; docs/verdict.md says on what, and how well it does.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Protocol

import numpy as np

from stainbridge.register.evidence import Evidence
from stainbridge.register.result import Status
from stainbridge.register.verify import Verification

#: `ok` is said where nine of ten are better than this.
OK_RTRE = 0.02
#: Where half are worse than this there is no transform.
FAILED_RTRE = 0.02
#: Placements below these are given up before they are bent. They are far below what right ones show.
MIN_SHARPNESS = 2.5
MIN_OVERLAP = 0.3


@dataclass(frozen=True)
class Verdict:
    """`status`, in words `reason`; `predicted_rtre`: expected median error ÷ diagonal; `bound_rtre`: nine of ten have
    less."""

    status: Status
    reason: str
    predicted_rtre: float
    bound_rtre: float


class Judge(Protocol):
    """Decides what a registration is worth."""

    def doubt(self, checked: Verification) -> str:
        """Why a placement need not be followed up, or nothing."""

    def verdict(self, evidence: Evidence) -> Verdict:
        """What the final map is worth."""


@dataclass(frozen=True)
class Calibration:
    """A `Judge`. `weights` of `measures` and `offset` make the index; at `index` (ascending) the median rTRE is
    `median` and the 90th percentile `bound`, their logarithms linear in between and held beyond."""

    weights: dict[str, float]
    offset: float
    index: tuple[float, ...]
    median: tuple[float, ...]
    bound: tuple[float, ...]

    def doubt(self, checked: Verification) -> str:
        """No overlap, or a fit that displaced copies of the placement reach too."""
        if checked.overlap < MIN_OVERLAP:
            return f"the sections overlap by {checked.overlap:.0%} only"
        if checked.sharpness < MIN_SHARPNESS:
            return (
                f"the best placement is no better than chance (sharpness {checked.sharpness:.1f}, "
                f"needed {MIN_SHARPNESS:g}): the slides may not belong together"
            )
        return ""

    def verdict(self, evidence: Evidence) -> Verdict:
        """`ok`, `fallback` where an error beyond `OK_RTRE` cannot be ruled out, `failed` where it is likely."""
        index = self.index_of(evidence)
        expected, bound = (
            float(np.exp(np.interp(index, self.index, np.log(curve)))) for curve in (self.median, self.bound)
        )
        agreed = f"{evidence.share:.0%} of the tissue fits best where it lies, overlap {evidence.overlap:.0%}"
        if expected > FAILED_RTRE:
            return Verdict("failed", f"{agreed}: too little to tell from chance", expected, bound)
        if bound > OK_RTRE:
            reason = f"{agreed}: an error of {bound:.1%} of the diagonal is possible"
            return Verdict("fallback", reason, expected, bound)
        return Verdict("ok", agreed, expected, bound)

    def index_of(self, evidence: Evidence) -> float:
        """The weighted sum."""
        seen = measures(evidence)
        return self.offset + sum(weight * seen[name] for name, weight in self.weights.items())


def measures(evidence: Evidence) -> dict[str, float]:
    """What the index is made of: bounded numbers, so that no single one decides."""
    return {
        "share": evidence.share,
        "lead": float(np.tanh(evidence.lead / 0.1)),
        "edges": evidence.edges,
        "sharpness": float(np.log(np.clip(evidence.sharpness, 1.0, 12.0))),
        "affine_share": evidence.affine_share,
        "overlap": evidence.overlap,
        "area_spread": min(evidence.area_spread, 0.5),
    }


@lru_cache(maxsize=1)
def calibrated() -> Calibration:
    """The calibration that comes with the package."""
    stored = json.loads(files("stainbridge.register").joinpath("calibration.json").read_text(encoding="utf-8"))
    curves = {name: tuple(stored[name]) for name in ("index", "median", "bound")}
    return Calibration(stored["weights"], stored["offset"], **curves)
