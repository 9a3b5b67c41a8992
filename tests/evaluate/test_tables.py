"""From rows to summaries, tables, submissions and the page."""

from __future__ import annotations

import csv
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from stainbridge.evaluate.curves import LEFT, WIDTH, make_chart
from stainbridge.evaluate.page import MAX_CARDS, PAGE, worst_cards, write_page
from stainbridge.evaluate.row import Row
from stainbridge.evaluate.summary import select_scored_rows, summarise
from stainbridge.evaluate.tables import write_results, write_submissions
from stainbridge.metrics.landmarks import ErrorSummary


def spread(median: float) -> ErrorSummary:
    return ErrorSummary(median, median, 2 * median, 3 * median)


def row(
    case: str, method: str, after: float | None, *, start: str = "given", before: float = 0.1
) -> Row:
    return Row(
        data_set="set",
        case=case,
        start=start,
        method=method,
        status="ok" if after is not None else "failed",
        reason="" if after is not None else "lost <it>",
        landmarks=80,
        before=spread(before),
        after=None if after is None else spread(after),
        robustness=0.0 if after is None else 0.9,
        seconds=2.0,
        cpu_s=3.5,
        peak_mb=100.0,
        fixed=f"{case}/he.jpg",
        moving=f"{case}/ki67.jpg",
        fixed_size=(400, 300),
        diagonal_um=1000.0,
    )


ROWS = [
    row("1", "identity", 0.1),
    row("1", "good", 0.002),
    row("2", "identity", 0.3, before=0.3),
    row("2", "good", None, before=0.3),
    row("3", "identity", 0.2, before=0.2),
    row("3", "good", 0.004),
]


def test_a_missing_result_counts_as_unregistered() -> None:
    identity, good = summarise(ROWS)
    assert (identity.method, good.method, good.kind) == ("identity", "good", "given")
    assert (good.scores.cases, good.scores.missing) == (3, 1)
    assert good.scores.mmrtre == pytest.approx(0.004)
    assert good.scores.amrtre == pytest.approx((0.002 + 0.3 + 0.004) / 3)
    assert good.scores.amaxrtre == pytest.approx((0.006 + 0.9 + 0.012) / 3)
    assert good.scores.robustness == pytest.approx(0.6)
    assert good.success == pytest.approx(2 / 3)
    assert good.rank == pytest.approx((1 + 1.5 + 1) / 3)
    assert identity.rank == pytest.approx((2 + 1.5 + 2) / 3)
    assert (identity.success, good.seconds, good.cpu_s, good.peak_mb) == (0, 2.0, 3.5, 100.0)
    assert (good.fallback, good.worst_ok) == (0, 0.004)


def test_acrobats_score_is_in_um_and_only_where_every_slide_has_a_pixel_size() -> None:
    _, good = summarise(ROWS)
    assert good.p90_um == pytest.approx(
        1000 * 2 * np.median([0.002, 0.3, 0.004])
    )  # the one without a result, too
    assert summarise([replace(ROWS[1], diagonal_um=None), *ROWS[2:]])[0].p90_um is None


def test_results_in_doubt_stand_apart() -> None:
    doubted = replace(ROWS[1], status="fallback", after=spread(0.3))
    (good,) = summarise([doubted, ROWS[5], replace(ROWS[3], status="failed")])
    assert (good.fallback, good.worst_ok) == (1, 0.004)
    assert summarise([doubted])[0].worst_ok is None


def test_ranks_are_of_the_runs_all_methods_made() -> None:
    identity, good = summarise(ROWS[:-1])  # the last run is still to come
    assert (identity.rank, good.rank) == (1.75, 1.25)
    assert summarise([ROWS[0], ROWS[3]])[0].rank is None


def test_kinds_of_starts_stand_apart_and_rows_without_landmarks_are_left_out() -> None:
    hard = replace(ROWS[0], start="hard-01")
    assert [(item.kind, item.scores.cases) for item in summarise([*ROWS[:1], hard])] == [
        ("given", 1),
        ("hard", 1),
    ]
    assert summarise([replace(ROWS[0], before=None, after=None, robustness=0)]) == []


def test_a_row_survives_the_disk() -> None:
    for item in (ROWS[1], ROWS[3], replace(ROWS[0], before=None, after=None, robustness=0.0)):
        assert Row.from_dict(item.to_dict()) == item


def test_a_run_that_died_before_its_landmarks_were_read_counts_as_unregistered() -> None:
    died = replace(ROWS[3], before=None, landmarks=0, diagonal_um=None, status="crashed")
    good = summarise([*ROWS[:3], died, *ROWS[4:]])[1]
    assert good == summarise(ROWS)[1]
    assert select_scored_rows([died]) == []  # nobody knows


def test_runs_have_files_of_their_own() -> None:
    names = ("a b", "a+b", "a_b", "a/b")
    assert len({replace(ROWS[0], case=name).slug for name in names}) == len(names)
    assert "/" not in replace(ROWS[0], case="a/b").slug


def test_results_csv_has_a_line_for_every_run(tmp_path: Path) -> None:
    write_results(tmp_path / "results.csv", ROWS)
    with (tmp_path / "results.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == len(ROWS)
    assert (lines[1]["method"], lines[1]["rtre_after_median"], lines[1]["peak_mb"]) == (
        "good",
        "0.002",
        "100.0",
    )
    assert float(lines[1]["rtre_before_max"]) == pytest.approx(0.3)
    assert [float(line["tre_um_p90_counted"]) for line in lines[1:4:2]] == pytest.approx([4, 600])
    assert (lines[3]["status"], lines[3]["rtre_after_median"], lines[3]["reason"]) == (
        "failed",
        "",
        "lost <it>",
    )


def test_anhir_gets_its_table_and_the_warped_landmarks(tmp_path: Path) -> None:
    (tmp_path / "points").mkdir()
    for item in (ROWS[1], ROWS[3]):  # the second one failed, its points are of an earlier try
        (tmp_path / "points" / f"{item.slug}.csv").write_text(",X,Y\n0,1.0,2.0\n")
    write_submissions(tmp_path, [*ROWS, replace(ROWS[0], start="hard-00")])
    with (tmp_path / "anhir" / "set" / "good" / "registration-results.csv").open() as file:
        first, second, _ = csv.DictReader(file)
    assert first[""] == "1"
    assert first["Source image"] == "1/ki67.jpg"
    assert first["Target landmarks"] == "1/he.csv"
    assert (first["Image size [pixels]"], first["Image diagonal [pixels]"]) == (
        "(300, 400)",
        "500.0",
    )
    assert float(first["Execution time [minutes]"]) == pytest.approx(2 / 60, abs=1e-5)
    warped = tmp_path / "anhir" / "set" / "good" / first["Warped source landmarks"]
    assert warped.read_text() == ",X,Y\n0,1.0,2.0\n"
    assert second["Warped source landmarks"] == ""


def test_a_curve_rises_from_none_to_the_share_of_runs_below() -> None:
    drawn = make_chart(
        {"all good": [0.002, 0.004], "half lost": [0.01, 5.0], "better than shown": [1e-5]}
    )
    ends = {
        curve.name: [tuple(map(float, p.split(","))) for p in curve.points.split()]
        for curve in drawn.curves
    }
    bottom, top = drawn.y_ticks[0][0], drawn.y_ticks[-1][0]
    assert ends["all good"][0] == (LEFT, bottom)
    assert ends["all good"][-1][1] == top
    assert ends["half lost"][-1][1] == pytest.approx((bottom + top) / 2)
    assert ends["better than shown"][0] == (LEFT, top)
    assert all(LEFT <= x <= WIDTH for points in ends.values() for x, _ in points)
    assert len({(curve.colour, curve.dashes) for curve in drawn.curves}) == 3


def test_the_worst_cases_come_first_and_the_worst_method_on_each() -> None:
    shown = worst_cards(Path("nowhere"), ROWS, ["identity", "good"])
    assert [card.title for card in shown] == ["set / 2", "set / 3", "set / 1"]
    assert [result.method for result in shown[1].results] == ["identity", "good"]
    assert shown[0].medians == (0.3, 0.3)


def test_of_many_cases_the_worst_of_every_method_are_shown() -> None:
    """A case one method lost and the others did not is on the page, too."""
    lost = row("lost", "good", 0.5), row("lost", "identity", 0.1), row("lost", "other", 0.0001)
    many = [
        row(f"n{n}", name, 0.2)
        for n in range(2 * MAX_CARDS)
        for name in ("identity", "good", "other")
    ]
    shown = worst_cards(Path("nowhere"), [*many, *lost], ["identity", "good", "other"])
    assert len(shown) == MAX_CARDS
    assert "set / lost" in {card.title for card in shown}


def test_the_page_needs_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    PIL.Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(
        tmp_path / "pictures" / f"{ROWS[1].slug}.after.jpg"
    )
    write_page(tmp_path, ROWS, "stainbridge benchmark landmarks <pairs>")
    page = (tmp_path / PAGE).read_text()
    assert re.findall(r'(?:src|href)="(?!data:)[^"]*"', page) == []
    assert "http" not in page
    assert page.count("<polyline") == 2
    assert page.count("data:image/jpeg;base64,") == 1
    assert "lost &lt;it&gt;" in page
    assert "&lt;pairs&gt;" in page
    assert page.index("set / 2") < page.index("set / 3") < page.index("set / 1")


def test_a_page_of_nothing_but_unscored_runs(tmp_path: Path) -> None:
    write_page(tmp_path, [replace(ROWS[0], before=None, after=None, robustness=0.0)], "x")
    assert "1 run had no landmarks" in (tmp_path / PAGE).read_text()
