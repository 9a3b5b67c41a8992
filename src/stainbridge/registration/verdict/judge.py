"""From evidence to an expected error, a bound on it, and a status: a small model, fitted where the
truth is known.

The index is a weighted sum of a few measures: the log-odds of a median rTRE of 0.01 and more. Two
curves that only rise say which median rTRE goes with it, and which nine of ten did not exceed. The
numbers stand in `calibration.json`, which `benchmarks/verdict.py fit` writes; docs/verdict.md says
on what, and how well it does.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import TypeAlias

import numpy as np

from stainbridge.registration.result import Status
from stainbridge.registration.verdict.evidence import Evidence
from stainbridge.registration.verdict.verification import Verification

#: `ok` is said where nine of ten are better than this, `failed` where half are worse.
TOLERABLE_RTRE = 0.02
#: Less of the smaller tissue on the other's says nothing.
MIN_OVERLAP = 0.3
#: Placements that stand out by less from displaced copies of themselves are not taken without a
#: search.
MIN_SHARPNESS = 4.0


@dataclass(frozen=True)
class Verdict:
    """`status`, in words `reason`; `predicted_rtre`: expected median error ÷ diagonal;
    `bound_rtre`: nine of ten have less.
    """

    status: Status
    reason: str
    predicted_rtre: float
    bound_rtre: float


#: Says what a registration is worth.
Judge: TypeAlias = Callable[[Evidence], Verdict]


def doubts(found: Verdict) -> tuple[bool, float, float]:
    """What sorts verdicts, the most trusted first."""
    return found.status == "failed", found.bound_rtre, found.predicted_rtre


def doubt(checked: Verification) -> str:
    """Why a placement found without a search is not convincing, or nothing."""
    if checked.overlap < MIN_OVERLAP:
        return f"the sections overlap by {checked.overlap:.0%} only"
    if checked.sharpness < MIN_SHARPNESS:
        return f"the best placement is no better than chance (sharpness {checked.sharpness:.1f})"
    return ""


@dataclass(frozen=True)
class Calibration:
    """A `Judge`. `weights` of `measures` and `offset` make the index; at `index` (ascending) the
    median rTRE is `median` and the 90th percentile `bound`, their logarithms linear in between and
    held beyond.
    """

    weights: dict[str, float]
    offset: float
    index: tuple[float, ...]
    median: tuple[float, ...]
    bound: tuple[float, ...]

    def __call__(self, evidence: Evidence) -> Verdict:
        """`ok`, `fallback` where an error beyond `TOLERABLE_RTRE` cannot be ruled out, `failed`
        where it is likely.

        Evidence that is not a number speaks for nothing: `failed`.
        """
        index = self.index_of(evidence)
        if not np.isfinite([index, evidence.overlap]).all():
            return Verdict(
                "failed",
                "what would speak for it cannot be measured",
                self.median[-1],
                self.bound[-1],
            )
        expected, bound = (
            float(np.exp(np.interp(index, self.index, np.log(curve))))
            for curve in (self.median, self.bound)
        )
        agreed = f"{evidence.share:.0%} of the tissue fits best where it lies, overlap {evidence.overlap:.0%}"
        if expected > TOLERABLE_RTRE or evidence.overlap < MIN_OVERLAP:
            return Verdict(
                "failed", f"{agreed}: the slides may not belong together", expected, bound
            )
        if bound > TOLERABLE_RTRE:
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
        "edges": float(np.log(max(evidence.edges, 0.05))),
        "sharpness": float(np.log(np.clip(evidence.sharpness, 1.0, 12.0))),
        "affine_share": float(np.log(max(evidence.affine_share, 0.05))),
        "overlap": evidence.overlap,
    }


@lru_cache(maxsize=1)
def calibrated() -> Calibration:
    """The calibration that comes with the package."""
    stored = json.loads(
        files("stainbridge.registration.verdict")
        .joinpath("calibration.json")
        .read_text(encoding="utf-8")
    )
    curves = {name: tuple(stored[name]) for name in ("index", "median", "bound")}
    return Calibration(stored["weights"], stored["offset"], **curves)
