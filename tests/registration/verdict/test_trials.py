"""The table of docs/results/verdict.md is what the shipped calibration says of the trials."""

from __future__ import annotations

import csv
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from stainbridge.registration.verdict.evidence import Evidence
from stainbridge.registration.verdict.judge import (
    TOLERABLE_ERROR,
    RegistrationStatus,
    load_calibration,
)

DOCS = Path(__file__).parents[3] / "docs"
BAD_RTRE = 0.01


@dataclass(frozen=True)
class Trial:
    """A registration whose truth is known; `index` is the log-odds that it is bad."""

    source: str
    kind: str
    rtre: float
    index: float
    status: RegistrationStatus

    @property
    def bad(self) -> bool:
        return self.rtre >= BAD_RTRE


def judge_row(row: dict[str, str]) -> Trial:
    rtre = float(row["rtre"])
    if not row["share"]:  # no placement was found
        return Trial(row["source"], row["kind"], rtre, np.inf, "failed")
    judge = load_calibration()
    evidence = Evidence(
        **{field.name: float(row[field.name]) for field in fields(Evidence) if field.name in row}
    )
    status = judge(evidence).status
    if row["rejected"] == "1" and status == "ok":
        status = "fallback"
    return Trial(row["source"], row["kind"], rtre, judge.compute_index(evidence), status)


@pytest.fixture(scope="module")
def trials() -> list[Trial]:
    with (DOCS / "verdict" / "trials.csv").open(newline="", encoding="utf-8") as file:
        return [judge_row(row) for row in csv.DictReader(file)]


@pytest.mark.parametrize(
    ("heading", "sources"),
    [("all", "generated real"), ("generated", "generated"), ("real", "real")],
)
def test_the_table_says_what_the_trials_say(
    trials: list[Trial], heading: str, sources: str
) -> None:
    chosen = [trial for trial in trials if trial.source in sources.split()]
    bad, good = ([trial.index for trial in chosen if trial.bad is kind] for kind in (True, False))
    area = mannwhitneyu(bad, good).statistic / len(bad) / len(good)
    assert area > 0.95
    cells = [heading, str(len(chosen)), str(len(bad)), f"{area:.3f}".lstrip("0")]
    for status in ("ok", "fallback", "failed"):
        matching = [trial for trial in chosen if trial.status == status]
        worst = f", {max((trial.rtre for trial in matching), default=0):.4f}".replace(" 0.", " .")
        wrong = sum(trial.bad for trial in matching)
        cells.append(f"{len(matching) - wrong}, {wrong}{worst if status == 'ok' else ''}")
    assert f"| {' | '.join(cells)} |" in (DOCS / "results" / "verdict.md").read_text(
        encoding="utf-8"
    )


def test_no_trial_called_ok_is_far_off_or_of_slides_that_do_not_belong_together(
    trials: list[Trial],
) -> None:
    fine = [trial for trial in trials if trial.status == "ok"]
    assert max(trial.rtre for trial in fine) <= TOLERABLE_ERROR
    assert not [trial for trial in fine if trial.kind.startswith("wrong")]
