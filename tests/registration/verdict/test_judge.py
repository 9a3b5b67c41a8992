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
    Calibration,
    Remainder,
    compute_measures,
    find_doubt,
    load_calibration,
)
from stainbridge.registration.verdict.verification import Verification

#: As on a right and on a wrong registration of real sections.
GOOD = Evidence(0.97, 12.0, 0.33, 0.65, 0.08, 0.39, 0.44, 0.93, 0.21, 0.2, 0.007)
WRONG = Evidence(0.95, 2.5, 0.15, 0.12, -0.12, 0.25, 0.18, 0.45, -0.03, 0.25, 0.009)
SIMPLE = Calibration(
    {"share": -10.0}, 5.0, (-4.0, 0.0, 4.0), (0.001, 0.01, 0.1), (0.004, 0.04, 0.4)
)


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
    assert set(shipped.weights) <= set(compute_measures(GOOD))


@pytest.mark.parametrize("name", ["lead", "edges", "sharpness", "affine_share"])
def test_better_evidence_improves_the_verdict(name: str) -> None:
    """The index, the log-odds of a bad one, falls with the measures of the shipped calibration."""
    improving = [
        replace(WRONG, **{name: value})
        for value in np.linspace(getattr(WRONG, name), getattr(GOOD, name), 9)
    ]
    indices = [load_calibration().compute_index(evidence) for evidence in improving]
    falling = indices if getattr(GOOD, name) > getattr(WRONG, name) else indices[::-1]
    assert falling == sorted(falling, reverse=True)
    assert falling[0] - falling[-1] > 0.05


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


@pytest.mark.parametrize("name", ["lead", "edges", "sharpness", "affine_share", "overlap"])
@pytest.mark.parametrize("evidence", [GOOD, WRONG])
def test_evidence_that_cannot_be_measured_is_a_failure(name: str, evidence: Evidence) -> None:
    verdict = load_calibration()(replace(evidence, **{name: float("nan")}))
    assert (verdict.status, verdict.predicted) == ("failed", load_calibration().median[-1])
    assert verdict.bound == load_calibration().bound[-1]


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


def test_agreement_that_the_deformation_has_made_is_a_doubt() -> None:
    """The index is the same: what is doubted is where the agreement comes from."""
    judge = Calibration({}, -4.0, (-4.0, 4.0), (0.001, 0.1), (0.004, 0.4))
    made = replace(GOOD, affine_share=0.33, share=0.8)
    verdict = judge(made)
    assert verdict.status == "fallback"
    assert verdict.reason.startswith("only 33% of the tissue fitted before the deformation")
    assert judge(replace(made, affine_share=0.43)).status == "ok"
    assert judge(replace(made, share=0.95)).status == "ok"
