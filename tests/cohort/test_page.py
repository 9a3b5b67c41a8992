"""The page of a cohort: the worst first, failures by reason, links that lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from stainbridge.cohort.folder import CohortFolder
from stainbridge.cohort.page import (
    BARS,
    HEIGHT,
    draw_histogram,
    group_failures,
    render_page,
    sort_worst_first,
)
from stainbridge.cohort.task import FailureKind, Finished


def good(name: str, error: float) -> Finished:
    return Finished(name, "k", "ok", "", "", {"predicted_rtre": error, "predicted_um": 12.34})


def bad(name: str, kind: FailureKind, reason: str = "why") -> Finished:
    return Finished(name, "k", "failed", kind, reason, {})


def render(folder: CohortFolder, finished: list[Finished]) -> str:
    return "".join(render_page(folder, finished))


FINISHED = [
    good("a", 0.002),
    bad("b", "input"),
    good("c", 0.01),
    bad("d", "time"),
    bad("e", "time"),
]


def test_failed_cases_come_first_and_then_the_worst() -> None:
    assert [item.id for item in sort_worst_first(FINISHED)] == ["b", "d", "e", "c", "a"]


def test_failures_are_grouped_the_most_frequent_first() -> None:
    groups = [(kind, [item.id for item in items]) for kind, items in group_failures(FINISHED)]
    assert groups == [("time", ["d", "e"]), ("input", ["b"])]


def test_the_histogram_counts_every_error() -> None:
    bars = draw_histogram([0.0, 0.001, 0.004, 0.004])
    assert len(bars) == BARS
    assert sum(int(bar.label.split()[0]) for bar in bars) == 4
    assert bars[-1].height == HEIGHT
    assert draw_histogram([]) == []


@pytest.mark.parametrize("errors", [[0.0], [0.0, 0.0]])
def test_a_histogram_of_zeros_is_drawn(errors: list[float]) -> None:
    assert draw_histogram(errors)[0].height == HEIGHT


def test_the_page_shows_every_case_and_escapes_reasons(tmp_path: Path) -> None:
    folder = CohortFolder(tmp_path)
    (folder.case("a")).mkdir(parents=True)
    for name in ("report.html", "overlay.jpg"):
        (folder.case("a") / name).touch()
    page = render(folder, [*FINISHED, bad("f", "error", "<script>")])
    assert "<script>" not in page
    assert 'href="cases/a/report.html"' in page
    assert "0.20 %" in page
    assert "12.3 µm" in page
    linked = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert sorted(linked) == ["cases/a/overlay.jpg", "cases/a/report.html"]
    assert page == render(folder, [*FINISHED, bad("f", "error", "<script>")])


def test_a_cohort_without_results_has_a_page(tmp_path: Path) -> None:
    page = render(CohortFolder(tmp_path), [bad("b", "input")])
    assert "Predicted errors" not in page
    assert "input: 1" in page
