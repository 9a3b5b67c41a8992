"""The table of docs/results/verdict.md is what the shipped calibration says of the trials."""

from __future__ import annotations

import csv
from dataclasses import dataclass, fields
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from stainbridge.registration.verdict.evidence import Evidence
from stainbridge.registration.verdict.judge import (
    TOLERABLE_ERROR,
    RegistrationStatus,
    limit_to_pixels,
    load_calibration,
)

DOCS = Path(__file__).parents[3] / "docs"
BAD_ERROR = 0.01
#: Kinds in which no placement is right, or several are.
DOUBTFUL = ("halves", "halves-upper", "twice", "twice-fixed", "repeats")


@dataclass(frozen=True)
class Trial:
    """A registration whose truth is known, as the shipped calibration judges it."""

    key: str
    kind: str
    error: float
    status: RegistrationStatus
    predicted: float


def judge_row(row: dict[str, str]) -> Trial:
    """Judge a row again; a result of several pieces says what it said."""
    said = cast(RegistrationStatus, row["status"])
    predicted = float(row["predicted"])
    if row["share"] and row["joined"] == "1":
        evidence = Evidence(**{field.name: float(row[field.name]) for field in fields(Evidence)})
        verdict = limit_to_pixels(load_calibration()(evidence), float(row["pixel"]))
        is_doubted = row["is_doubted"] == "1" and verdict.status == "ok"
        said = "fallback" if is_doubted else verdict.status
        predicted = verdict.predicted
    return Trial(row["key"], row["kind"], float(row["error"]), said, predicted)


@pytest.fixture(scope="module")
def trials() -> list[Trial]:
    with (DOCS / "verdict" / "trials.csv").open(newline="", encoding="utf-8") as file:
        return [judge_row(row) for row in csv.DictReader(file)]


def test_the_table_says_what_the_trials_say(trials: list[Trial]) -> None:
    page = (DOCS / "results" / "verdict.md").read_text(encoding="utf-8")
    for kind in (*sorted({trial.kind for trial in trials}), "all"):
        chosen = [trial for trial in trials if kind in (trial.kind, "all")]
        counts = [
            sum(trial.status == status for trial in chosen)
            for status in ("ok", "fallback", "failed")
        ]
        assert f"| {kind} | {len(chosen)} | {' | '.join(map(str, counts))} |" in page


def test_bad_registrations_are_told_from_good_ones(trials: list[Trial]) -> None:
    told = [trial for trial in trials if trial.kind not in DOUBTFUL]
    order = ("ok", "fallback", "failed")
    rank = [order.index(trial.status) + np.nan_to_num(trial.predicted, nan=0.9) for trial in told]
    is_bad = np.array([trial.error >= BAD_ERROR for trial in told])
    bad, good = np.array(rank)[is_bad], np.array(rank)[~is_bad]
    assert mannwhitneyu(bad, good).statistic / len(bad) / len(good) > 0.95


def test_no_ok_is_of_slides_that_do_not_belong_together(trials: list[Trial]) -> None:
    fine = [trial for trial in trials if trial.status == "ok"]
    assert len(fine) > 100
    assert not [trial for trial in fine if trial.kind.startswith("wrong")]


def test_an_ok_that_is_far_off_is_named(trials: list[Trial]) -> None:
    page = (DOCS / "results" / "verdict.md").read_text(encoding="utf-8")
    wrong = [trial for trial in trials if trial.status == "ok" and trial.error > TOLERABLE_ERROR]
    assert len(wrong) < 0.02 * len(trials)
    assert all(f"`{trial.key}`" in page for trial in wrong)
