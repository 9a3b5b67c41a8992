"""What is shown while a cohort runs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stainbridge.cli.cohort_watch import format_duration, format_line, make_table, watch_cohort
from stainbridge.cohort.progress import CohortProgress
from stainbridge.cohort.running.attempts import TaskOutcome

OUTCOME = TaskOutcome("b", "failed", "time", "ran longer than its limit of 5 s", 5.01)


def progress() -> CohortProgress:
    counts = CohortProgress(12)
    counts.count_earlier("ok", "")
    counts.count(OUTCOME)
    return counts


def test_off_a_terminal_each_case_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    with watch_cohort() as watch:
        watch(progress())
    line = " 2/12 b failed in 5.0 s: ran longer than its limit of 5 s\n"
    assert capsys.readouterr().err == line


def test_a_good_case_has_no_reason() -> None:
    counts = progress()
    counts.count(replace(OUTCOME, status="ok", kind="", reason="98 % fits"))
    assert format_line(counts) == " 3/12 b ok in 5.0 s"


def test_the_table_shows_rate_and_failures() -> None:
    table = make_table(progress())
    cells = [list(column.cells) for column in table.columns]
    assert "  time" in cells[0]
    assert "rate" in cells[0]
    assert table.title == "2 of 12 cases"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(119.6, "120 s"), (150, "2 min"), (5400, "1 h 30 min"), (7190, "2 h 0 min")],
)
def test_durations_are_short(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text
