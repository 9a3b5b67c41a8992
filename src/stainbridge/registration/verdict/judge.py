"""The verdict: from evidence to an expected error, a bound on it, and a status.

Two questions are asked. Is it grossly wrong? A weighted sum of a few measures gives the log-odds
that the error is 0.03 or more. And if not, how near is it? Another weighted sum is the index. Two
rising curves give the median rTRE at an index, and the rTRE that nine of ten did not exceed.
The numbers stand in `calibration.json`, which `benchmarks/trust.py fit` writes. docs/verdict.md
says what they were fitted to, and how well they predict.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib.resources import files
from statistics import NormalDist
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import numpy as np

from stainbridge.registration.verdict.evidence import Evidence

if TYPE_CHECKING:
    from stainbridge.registration.verdict.verification import Verification

RegistrationStatus = Literal["ok", "fallback", "failed"]
#: The statuses, the most trusted first.
STATUSES: tuple[RegistrationStatus, ...] = get_args(RegistrationStatus)

#: The status is `ok` where nine of ten have less than this error, `failed` where half have more. In
#: diagonals of the box around the fixed tissue.
TOLERABLE_ERROR = 0.02
#: The error of what is grossly wrong: beyond half a diagonal all is equally wrong.
WORST_ERROR = 0.5
#: The status is `failed` where it is more likely than this that a registration is grossly wrong.
TOLERABLE_GROSS = 0.3
#: Share of the registrations that stay below a bound.
BOUND_SHARE = 0.9
#: Similarity of another place, over that of the placement's own, where it was not measured.
TYPICAL_RIVAL = 0.6
#: Full-resolution pixels that are expected to lie apart, at least: what nothing can tell.
LEAST_PREDICTED_PX = 0.25
#: The bound in full-resolution pixels, at least.
LEAST_BOUND_PX = 1.0
#: Least share of the smaller tissue on the other; less of it proves nothing.
MIN_OVERLAP = 0.3
#: Least share of the smaller tissue on the other for `ok`: with less, tissue of both slides has no
#: counterpart, as where halves of a slide are swapped.
COMPLETE_OVERLAP = 0.75
#: Share of the fixed tissue that would clearly fit better elsewhere, above which it is not `ok`. Of
#: genuine pairs it is 0.017 at most, of wrongly stitched ones mostly 0.06 and more.
TOLERABLE_MISFIT = 0.02
#: Shares of windows that fit best where they lie, before and after the deformation. Below both the
#: deformation has made what agreement there is, as on wrongly stitched sections whose stains share
#: little. Of right trials 11 are below the first and up to 0.88, two of them below the second too.
FEW_WINDOWS = 0.4
MOST_WINDOWS = 0.72
#: The second where another place is this similar, over the placement's own: then a part of the
#: tissue was often bent onto a wrong place. Of right trials one is below both, and as similar.
MORE_WINDOWS = 0.88
SIMILAR_RIVAL = 0.5
#: From this similarity of another place on, over that of the placement's own, it is not `ok`. Of
#: genuine pairs it is at most 0.6, of a hard one 0.82; where several places fit 0.91 and more.
TOLERABLE_RIVAL = 0.88
#: Standard deviations by which rows of tissue rather fit displaced along a straight cut, or fit
#: less there than near it, from which it is not `ok`. Wrongly stitched sections mostly have 3 to 8;
#: docs/results/verdict.md says how many genuine ones reach it.
TOLERABLE_SEAM = 4.0
#: A misfit and a seam below these limits are a doubt where both are beyond these. Of right
#: registrations that read `ok` without it, 5 of 828 are.
SLIGHT_MISFIT = 0.01
SLIGHT_SEAM = 3.0
#: Least sharpness, in standard deviations, of a placement that is taken without a search. On frames
#: of the tissue alone, other drawn tissue of the same outline reaches 4.6, and the same tissue 7.
MIN_SHARPNESS = 5.0


@dataclass(frozen=True)
class Verdict:
    """What a registration is worth."""

    status: RegistrationStatus
    """Whether it can be used."""
    reason: str
    """Why, in words."""
    predicted: float
    """Expected median landmark error ÷ the diagonal of the box around the fixed tissue."""
    bound: float
    """What nine of ten such registrations stay below, in the same unit."""


#: Turns evidence into a verdict.
Judge: TypeAlias = Callable[[Evidence], Verdict]


def rank_verdict(verdict: Verdict) -> tuple[int, float, float]:
    """Return a sort key: the most trusted verdict first."""
    return STATUSES.index(verdict.status), verdict.bound, verdict.predicted


def limit_to_pixels(verdict: Verdict, pixel: float) -> Verdict:
    """Return a verdict that promises nothing finer than pixels show.

    `pixel` is a full-resolution pixel of the coarser slide ÷ the tissue's diagonal. Where the
    tissue has so few of them that the error may be large, `ok` becomes `fallback`.
    """
    bound = max(verdict.bound, LEAST_BOUND_PX * pixel)
    limited = replace(
        verdict, predicted=max(verdict.predicted, LEAST_PREDICTED_PX * pixel), bound=bound
    )
    if verdict.status != "ok" or bound <= TOLERABLE_ERROR:
        return limited
    few = f"the tissue is {1 / pixel:.0f} pixels across only"
    reason = f"{few}: an error of {bound:.1%} of it is possible; {verdict.reason}"
    return replace(limited, status="fallback", reason=reason)


def demand_windows(judge: Judge) -> Judge:
    """Return a judge that doubts a result of which few windows fitted before the deformation.

    It is for slides that are seen by their local contrast alone. Noise has that too, and can be
    bent onto other noise: windows that fit after the deformation prove little there.
    """

    def judge_strictly(evidence: Evidence) -> Verdict:
        verdict = judge(evidence)
        if verdict.status != "ok" or evidence.affine_share >= FEW_WINDOWS:
            return verdict
        return replace(verdict, status="fallback", reason=_describe_few_windows(evidence))

    return judge_strictly


def find_doubt(verification: Verification) -> str:
    """Say why a placement found without a search is not convincing; empty where it is."""
    if verification.overlap < MIN_OVERLAP:
        return f"the sections overlap by {verification.overlap:.0%} only"
    if verification.sharpness < MIN_SHARPNESS:
        sharpness = f"sharpness {verification.sharpness:.1f}"
        return f"the best placement is no better than chance ({sharpness})"
    return ""


@dataclass(frozen=True)
class Remainder:
    """How much less error is expected where the final map agrees better than is typical.

    The error's logarithm falls in proportion to the local NCC under the final transform.
    """

    typical_ncc: float = 0.5
    """Local NCC at which the curve's error is expected."""
    least_ncc: float = 0.3
    """Local NCC below which it tells no more."""
    most_ncc: float = 0.8
    """Local NCC above which it tells no more."""
    slope: float = 0.0
    """By how much the error's logarithm falls for a local NCC that is higher by 1."""

    def measure(self, local_ncc: float) -> float:
        """Return the expected error ÷ that at the typical local NCC; 1 where it is unknown."""
        if np.isnan(local_ncc):
            return 1.0
        told = np.clip(local_ncc, self.least_ncc, self.most_ncc)
        return float(np.exp(self.slope * (self.typical_ncc - told)))


@dataclass(frozen=True)
class GrossError:
    """How likely a registration is grossly wrong: its slides do not belong together, or it is lost.

    The odds are those among as many right ones as wrong ones.
    """

    weights: dict[str, float]
    """Weight of each measure in the log-odds."""
    offset: float
    """Constant term of the log-odds."""

    def measure(self, measures: Mapping[str, float]) -> float:
        """Return the probability, 0 to 1."""
        return 1 / (1 + math.exp(-_sum_weighted(self.weights, self.offset, measures)))


@dataclass(frozen=True)
class Calibration:
    """A `Judge` fitted to registrations of known error.

    Errors are those of two kinds of registrations: grossly wrong ones, and others. Of the others
    two curves tell the median and the 90th percentile at an index, and errors are log-normal. The
    logarithms of both curves are linear between their points and constant beyond.
    """

    gross: GrossError
    """Whether it is grossly wrong."""
    weights: dict[str, float]
    """Weight of each measure in the index."""
    offset: float
    """Constant term of the index."""
    index: tuple[float, ...]
    """Indices of the curves' points, ascending."""
    median: tuple[float, ...]
    """Median rTRE at each of them."""
    bound: tuple[float, ...]
    """90th percentile of the rTRE at each of them."""
    remainder: Remainder = field(default_factory=Remainder)
    """How the expected error falls with the local NCC."""

    def __call__(self, evidence: Evidence) -> Verdict:
        """Judge evidence.

        `fallback`: an error beyond `TOLERABLE_ERROR` cannot be ruled out, much tissue of both
        slides has no counterpart, or some would fit better elsewhere. `failed`: it is likely, or
        the evidence is not a number.
        """
        measures = compute_measures(evidence)
        index = self.compute_index(evidence)
        gross = self.gross.measure(measures)
        if not np.isfinite([index, gross, evidence.overlap]).all():
            reason = "the evidence for it cannot be measured"
            return Verdict("failed", reason, WORST_ERROR, WORST_ERROR)
        median, bound = (
            float(np.exp(np.interp(index, self.index, np.log(curve))))
            for curve in (self.median, self.bound)
        )
        expected = _find_quantile(0.5, median, bound, gross)
        bound = _find_quantile(BOUND_SHARE, median, bound, gross)
        remainder = self.remainder.measure(evidence.local_ncc)
        predicted = min(expected * remainder, bound, TOLERABLE_ERROR)
        fits = f"{evidence.share:.0%} of the tissue fits best where it lies"
        agreement = f"{fits}, overlap {evidence.overlap:.0%}"
        if max(expected / TOLERABLE_ERROR, gross / TOLERABLE_GROSS) > 1 or (
            evidence.overlap < MIN_OVERLAP
        ):
            reason = f"{agreement}: the slides may not belong together"
            likely = math.exp((1 - gross) * math.log(median) + gross * math.log(WORST_ERROR))
            return Verdict("failed", reason, max(expected, likely), bound)
        if bound > TOLERABLE_ERROR:
            reason = f"{agreement}: an error of {bound:.1%} of the tissue's diagonal is possible"
            return Verdict("fallback", reason, predicted, bound)
        doubts = _list_doubts(evidence)
        if doubts:
            return Verdict("fallback", "; ".join([*doubts, agreement]), predicted, bound)
        return Verdict("ok", agreement, predicted, bound)

    def compute_index(self, evidence: Evidence) -> float:
        """Return the weighted sum of the measures."""
        return _sum_weighted(self.weights, self.offset, compute_measures(evidence))


def _sum_weighted(
    weights: Mapping[str, float], offset: float, measures: Mapping[str, float]
) -> float:
    return offset + sum(weight * measures[name] for name, weight in weights.items())


def _find_quantile(share: float, median: float, bound: float, gross: float) -> float:
    """Return the error that a share of registrations stays below.

    A share `gross` of them has `WORST_ERROR`. The errors of the others are log-normal, with this
    median and this 90th percentile.
    """
    others = share / (1 - gross) if gross < 1 else math.inf
    if others >= 1:
        return WORST_ERROR
    normal = NormalDist()
    spread = math.log(bound / median) / normal.inv_cdf(BOUND_SHARE)
    return min(WORST_ERROR, median * math.exp(spread * normal.inv_cdf(others)))


def _list_doubts(evidence: Evidence) -> list[str]:
    """Say what part of the tissue does not fit, though the rest does; measures may be missing."""
    doubts = []
    if evidence.rival >= TOLERABLE_RIVAL:
        doubts.append("another place fits about as well")
    most = MORE_WINDOWS if evidence.rival >= SIMILAR_RIVAL else MOST_WINDOWS
    if evidence.affine_share < FEW_WINDOWS and evidence.share < most:
        doubts.append(_describe_few_windows(evidence))
    both = evidence.misfit > SLIGHT_MISFIT and evidence.seam >= SLIGHT_SEAM
    if evidence.misfit > TOLERABLE_MISFIT or both:
        doubts.append(f"{evidence.misfit:.0%} of the tissue would fit better elsewhere")
    if evidence.seam >= TOLERABLE_SEAM or both:
        doubts.append("tissue is displaced along a straight cut, as on a wrongly stitched slide")
    if evidence.overlap < COMPLETE_OVERLAP:
        alone = f"{1 - evidence.overlap:.0%} of the smaller tissue"
        doubts.append(f"{alone} has no counterpart")
    return doubts


def _describe_few_windows(evidence: Evidence) -> str:
    return f"only {evidence.affine_share:.0%} of the tissue fitted before the deformation"


def compute_measures(evidence: Evidence) -> dict[str, float]:
    """Return the measures that are weighed: bounded, so that no single one decides."""
    rival = TYPICAL_RIVAL if math.isnan(evidence.rival) else evidence.rival
    return {
        "share": evidence.share,
        "lead": float(np.tanh(evidence.lead / 0.1)),
        "edges": float(np.log(max(evidence.edges, 0.05))),
        "sharpness": float(np.log(np.clip(evidence.sharpness, 1.0, 12.0))),
        "affine_share": float(np.log(max(evidence.affine_share, 0.05))),
        "overlap": evidence.overlap,
        "rival": -float(np.log(np.clip(rival, 0.25, 1.2))),
    }


def load_calibration() -> Calibration:
    """Load the calibration that comes with the package."""
    path = files("stainbridge.registration.verdict").joinpath("calibration.json")
    stored = json.loads(path.read_text(encoding="utf-8"))
    gross = GrossError(**stored["gross"])
    curves = {name: tuple(stored[name]) for name in ("index", "median", "bound")}
    remainder = Remainder(**stored["remainder"])
    return Calibration(gross, stored["weights"], stored["offset"], **curves, remainder=remainder)
