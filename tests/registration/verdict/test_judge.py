"""The verdict on a registration follows from its evidence, in one direction."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stainbridge.registration.verdict.evidence import Evidence
from stainbridge.registration.verdict.judge import (
    COMPLETE_OVERLAP,
    MIN_OVERLAP,
    MIN_SHARPNESS,
    TOLERABLE_ERROR,
    TOLERABLE_GROSS,
    TYPICAL_RIVAL,
    WORST_ERROR,
    Calibration,
    GrossError,
    Remainder,
    compute_measures,
    demand_windows,
    find_doubt,
    load_calibration,
    rank_verdict,
)
from stainbridge.registration.verdict.verification import Verification

#: As on a right and on a wrong registration of real sections.
GOOD = Evidence(0.97, 12.0, 0.33, 0.65, 0.08, 0.39, 0.44, 0.93, 0.21, 0.2, 0.007)
WRONG = Evidence(0.95, 2.5, 0.15, 0.12, -0.12, 0.25, 0.18, 0.45, -0.03, 0.25, 0.009)
NEVER = GrossError({}, -50.0)
CURVES = ((-4.0, 0.0, 4.0), (0.001, 0.01, 0.1), (0.004, 0.04, 0.4))
SIMPLE = Calibration(NEVER, {"share": -10.0}, 5.0, *CURVES)


def test_a_right_registration_is_ok_and_a_wrong_one_failed() -> None:
    good, wrong = load_calibration()(GOOD), load_calibration()(WRONG)
    assert (good.status, wrong.status) == ("ok", "failed")
    assert good.predicted < 0.01 < 0.02 < wrong.predicted
    assert "93%" in good.reason


def test_the_shipped_curves_rise_and_the_bound_is_above_the_median() -> None:
    shipped = load_calibration()
    for curve in (shipped.index, shipped.median, shipped.bound):
        assert list(curve) == sorted(curve)
    assert all(median <= bound for median, bound in zip(shipped.median, shipped.bound, strict=True))
    assert set(shipped.weights) | set(shipped.gross.weights) <= set(compute_measures(GOOD))
    assert max(*shipped.weights.values(), *shipped.gross.weights.values()) < 0


@pytest.mark.parametrize("name", ["share", "lead", "edges", "sharpness", "affine_share", "rival"])
def test_better_evidence_makes_a_gross_error_less_likely(name: str) -> None:
    good = replace(GOOD, rival=0.3)
    wrong = replace(WRONG, rival=1.1)
    improving = [
        replace(wrong, **{name: value})
        for value in np.linspace(getattr(wrong, name), getattr(good, name), 9)
    ]
    gross = load_calibration().gross
    odds = [gross.measure(compute_measures(evidence)) for evidence in improving]
    assert odds == sorted(odds, reverse=True)
    assert odds[0] > odds[-1]


@pytest.mark.parametrize("name", ["share", "lead", "edges"])
def test_better_evidence_makes_a_smaller_error_likely(name: str) -> None:
    improving = [
        replace(WRONG, **{name: value})
        for value in np.linspace(getattr(WRONG, name), getattr(GOOD, name), 9)
    ]
    indices = [load_calibration().compute_index(evidence) for evidence in improving]
    assert indices == sorted(indices, reverse=True)
    assert indices[0] - indices[-1] > 0.05


@pytest.mark.parametrize(
    ("gross", "status"), [(0.01, "ok"), (0.11, "fallback"), (0.25, "fallback"), (0.35, "failed")]
)
def test_the_likelier_a_gross_error_the_less_it_is_trusted(gross: float, status: str) -> None:
    odds = GrossError({}, float(np.log(gross / (1 - gross))))
    sure = replace(SIMPLE, gross=NEVER)(GOOD)
    verdict = replace(SIMPLE, gross=odds)(GOOD)
    assert verdict.status == status
    assert verdict.bound > sure.bound
    assert verdict.predicted > sure.predicted


def test_errors_are_a_share_of_gross_ones_and_log_normal_others() -> None:
    share = 0.05
    odds = GrossError({}, float(np.log(share / (1 - share))))
    verdict = replace(SIMPLE, gross=odds)(replace(GOOD, share=0.9))  # index -4
    rng = np.random.default_rng(0)
    errors = 0.001 * np.exp(np.log(4) / 1.2816 * rng.normal(size=400_000))
    errors[: int(share * len(errors))] = WORST_ERROR
    assert verdict.predicted == pytest.approx(np.quantile(errors, 0.5), rel=0.02)
    assert verdict.bound == pytest.approx(np.quantile(errors, 0.9), rel=0.02)


def test_a_tenth_of_gross_errors_leaves_no_bound() -> None:
    odds = GrossError({}, float(np.log(0.11 / 0.89)))
    verdict = replace(SIMPLE, gross=odds)(GOOD)
    assert (verdict.status, verdict.bound) == ("fallback", WORST_ERROR)
    assert TOLERABLE_GROSS > 0.11


def test_a_rival_that_was_not_measured_counts_as_a_typical_one() -> None:
    judge = load_calibration()
    assert judge(replace(GOOD, rival=float("nan"))) == judge(replace(GOOD, rival=TYPICAL_RIVAL))


@pytest.mark.parametrize(
    ("share", "status"),
    [(0.95, "ok"), (0.65, "ok"), (0.56, "fallback"), (0.48, "fallback"), (0.3, "failed")],
)
def test_the_status_follows_the_bound_and_the_median(share: float, status: str) -> None:
    verdict = SIMPLE(replace(GOOD, share=share))
    assert verdict.status == status
    assert (verdict.bound <= TOLERABLE_ERROR) == (status == "ok")
    assert (verdict.predicted > TOLERABLE_ERROR) == (status == "failed")


def test_errors_are_log_linear_between_knots_and_constant_beyond() -> None:
    middle = SIMPLE(replace(GOOD, share=0.7))  # index -2
    assert middle.predicted == pytest.approx(np.sqrt(0.001 * 0.01))
    assert SIMPLE(replace(GOOD, share=2.0)).predicted == pytest.approx(0.001)


def test_a_large_deformation_is_no_evidence_against_a_registration() -> None:
    assert load_calibration()(replace(GOOD, area_spread=0.6, bend=0.08)) == load_calibration()(GOOD)


def test_tissue_of_both_slides_without_a_counterpart_is_no_ok() -> None:
    """As where the halves of a slide are swapped: what fits, fits well, and the rest is nowhere."""
    assert load_calibration()(replace(GOOD, overlap=COMPLETE_OVERLAP)).status == "ok"
    verdict = load_calibration()(replace(GOOD, overlap=COMPLETE_OVERLAP - 0.01))
    assert verdict.status == "fallback"
    assert "26% of the smaller tissue has no counterpart" in verdict.reason


def test_sections_that_hardly_overlap_have_failed() -> None:
    assert load_calibration()(replace(GOOD, overlap=MIN_OVERLAP - 0.01)).status == "failed"


@pytest.mark.parametrize("name", ["share", "lead", "edges", "sharpness", "affine_share", "overlap"])
@pytest.mark.parametrize("evidence", [GOOD, WRONG])
def test_evidence_that_cannot_be_measured_is_a_failure(name: str, evidence: Evidence) -> None:
    verdict = load_calibration()(replace(evidence, **{name: float("nan")}))
    assert (verdict.status, verdict.predicted) == ("failed", WORST_ERROR)
    assert verdict.bound == WORST_ERROR


def test_placements_that_do_not_stand_out_leave_doubt() -> None:
    fine = Verification(0.3, MIN_SHARPNESS + 0.1, MIN_OVERLAP + 0.01)
    assert find_doubt(fine) == ""
    assert "no better than chance" in find_doubt(replace(fine, sharpness=MIN_SHARPNESS - 0.1))
    assert "overlap by 20%" in find_doubt(replace(fine, overlap=0.2))


def test_tissue_that_would_fit_better_elsewhere_is_a_doubt() -> None:
    judge = load_calibration()
    assert judge(replace(GOOD, misfit=0.0)).status == "ok"
    verdict = judge(replace(GOOD, misfit=0.12))
    assert verdict.status == "fallback"
    assert verdict.reason.startswith("12% of the tissue would fit better elsewhere")


def test_a_second_best_as_good_is_a_doubt() -> None:
    judge = load_calibration()
    assert judge(replace(GOOD, rival=0.6)).status == "ok"
    verdict = judge(replace(GOOD, rival=0.95))
    assert verdict.status == "fallback"
    assert verdict.reason.startswith("another place fits about as well")


def test_the_better_the_windows_agree_the_less_error_is_expected() -> None:
    judge = load_calibration()
    errors = [judge(replace(GOOD, local_ncc=ncc)).predicted for ncc in (0.2, 0.3, 0.5, 0.8, 0.9)]
    assert errors[0] == errors[1] > errors[2] > errors[3] == errors[4]
    bounds = {judge(replace(GOOD, local_ncc=ncc)).bound for ncc in (0.3, 0.5, 0.8)}
    assert len(bounds) == 1
    assert max(errors) <= max(bounds)
    unknown = judge(replace(GOOD, local_ncc=float("nan")))
    assert unknown.predicted == errors[2]


def test_how_much_the_local_ncc_tells_is_the_calibrations() -> None:
    told = Remainder(typical_ncc=0.4, least_ncc=0.2, most_ncc=0.9, slope=3.0)
    judge = replace(SIMPLE, remainder=told)
    close = judge(replace(GOOD, local_ncc=0.6))
    assert close.predicted == pytest.approx(np.exp(-0.6) * SIMPLE(GOOD).predicted)
    assert judge(replace(GOOD, local_ncc=0.4)) == SIMPLE(GOOD)


def test_a_seam_is_a_doubt() -> None:
    judge = load_calibration()
    assert judge(replace(GOOD, seam=2.0)).status == "ok"
    verdict = judge(replace(GOOD, seam=5.0))
    assert verdict.status == "fallback"
    assert "along a straight cut" in verdict.reason


@pytest.mark.parametrize(
    ("misfit", "seam", "status"),
    [(0.015, 3.4, "fallback"), (0.005, 3.4, "ok"), (0.015, 2.9, "ok")],
)
def test_a_slight_misfit_and_a_slight_seam_are_a_doubt_together(
    misfit: float, seam: float, status: str
) -> None:
    judge = load_calibration()
    verdict = judge(replace(GOOD, misfit=misfit, seam=seam))
    assert verdict.status == status
    assert ("elsewhere" in verdict.reason) == ("cut" in verdict.reason) == (status != "ok")


def test_agreement_that_the_deformation_has_made_is_a_doubt() -> None:
    """The index is the same: what is doubted is where the agreement comes from."""
    judge = Calibration(NEVER, {}, -4.0, *CURVES)
    made = replace(GOOD, affine_share=0.33, share=0.7)
    verdict = judge(made)
    assert verdict.status == "fallback"
    assert verdict.reason.startswith("only 33% of the tissue fitted before the deformation")
    assert judge(replace(made, affine_share=0.43)).status == "ok"
    assert judge(replace(made, share=0.95)).status == "ok"


def test_few_windows_are_a_doubt_longer_where_another_place_is_similar() -> None:
    judge = load_calibration()
    made = replace(GOOD, affine_share=0.35, share=0.82, rival=0.45)
    assert judge(made).status == "ok"
    similar = replace(made, rival=0.55)
    assert judge(similar).status == "fallback"
    assert judge(replace(similar, share=0.9)).status == "ok"


def test_by_local_contrast_windows_must_fit_before_the_deformation() -> None:
    """However many fit after it."""
    judge = Calibration(NEVER, {}, -4.0, *CURVES)
    strict = demand_windows(judge)
    made = replace(GOOD, affine_share=0.39, share=0.98)
    assert judge(made).status == "ok"
    assert strict(made).status == "fallback"
    assert "39% of the tissue fitted before" in strict(made).reason
    assert strict(replace(made, affine_share=0.41)) == judge(replace(made, affine_share=0.41))
    assert strict(WRONG) == judge(WRONG)


def test_an_ok_is_trusted_more_than_a_doubted_result_with_a_lower_bound() -> None:
    judge = load_calibration()
    right, better = judge(GOOD), judge(replace(GOOD, share=0.99, seam=9.0))
    wrong = judge(WRONG)
    assert (right.status, better.status, wrong.status) == ("ok", "fallback", "failed")
    assert better.bound < right.bound
    assert sorted((wrong, better, right), key=rank_verdict) == [right, better, wrong]
