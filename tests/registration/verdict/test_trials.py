"""What docs/verdict.md says of the shipped calibration is what it says of the registrations kept
beside the page.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from stainbridge.registration.result import Status
from stainbridge.registration.verdict.evidence import Evidence
from stainbridge.registration.verdict.judge import TOLERABLE_RTRE, calibrated

DOCS = Path(__file__).parents[3] / "docs"
BAD_RTRE = 0.01


@dataclass(frozen=True)
class Judged:
    """A registration whose truth is known; `index` is the log-odds that it is bad."""

    source: str
    kind: str
    rtre: float
    index: float
    status: Status

    @property
    def bad(self) -> bool:
        return self.rtre >= BAD_RTRE


def judged(row: dict[str, str]) -> Judged:
    rtre = float(row["rtre"])
    if not row["share"]:  # nothing was found at all
        return Judged(row["source"], row["kind"], rtre, np.inf, "failed")
    judge, evidence = (
        calibrated(),
        Evidence(**{field.name: float(row[field.name]) for field in fields(Evidence)}),
    )
    status = judge(evidence).status
    if row["rejected"] == "1" and status == "ok":
        status = "fallback"
    return Judged(row["source"], row["kind"], rtre, judge.index_of(evidence), status)


@pytest.fixture(scope="module")
def trials() -> list[Judged]:
    with (DOCS / "verdict" / "trials.csv").open(newline="", encoding="utf-8") as file:
        return [judged(row) for row in csv.DictReader(file)]


@pytest.mark.parametrize(
    ("heading", "sources"),
    [("all", "generated real"), ("generated", "generated"), ("real", "real")],
)
def test_the_table_says_what_the_trials_say(
    trials: list[Judged], heading: str, sources: str
) -> None:
    found = [trial for trial in trials if trial.source in sources.split()]
    bad, good = ([trial.index for trial in found if trial.bad is kind] for kind in (True, False))
    area = mannwhitneyu(bad, good).statistic / len(bad) / len(good)
    assert area > 0.95
    cells = [heading, str(len(found)), str(len(bad)), f"{area:.3f}".lstrip("0")]
    for status in ("ok", "fallback", "failed"):
        these = [trial for trial in found if trial.status == status]
        worst = (
            f", {max(trial.rtre for trial in these):.4f}".replace(" 0.", " .")
            if status == "ok"
            else ""
        )
        wrong = sum(trial.bad for trial in these)
        cells.append(f"{len(these) - wrong}, {wrong}{worst}")
    assert f"| {' | '.join(cells)} |" in (DOCS / "verdict.md").read_text(encoding="utf-8")


def test_none_that_is_called_ok_is_far_off_or_of_slides_that_do_not_belong_together(
    trials: list[Judged],
) -> None:
    fine = [trial for trial in trials if trial.status == "ok"]
    assert max(trial.rtre for trial in fine) <= TOLERABLE_RTRE
    assert not [trial for trial in fine if trial.kind.startswith("wrong")]
