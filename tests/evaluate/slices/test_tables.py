from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest

from stainbridge.evaluate.slices.row import BeforeAfter, SliceRow
from stainbridge.evaluate.slices.summary import summarise_slices
from stainbridge.evaluate.slices.tables import (
    format_markdown,
    format_text,
    make_tables,
    write_summaries,
)


def make_row(case: str, method: str, scores: dict[str, tuple[float, float | None]]) -> SliceRow:
    """A row with Dice and distances of the labels that `scores` names."""
    values: dict[str, BeforeAfter] = {}
    for label, (before, after) in scores.items():
        values[f"dice {label}"] = BeforeAfter(before, after)
        for kind in ("hd95", "surface"):
            values[f"{kind} {label}"] = BeforeAfter(
                10 * before, None if after is None else 10 * after
            )
    failed = all(after is None for _, after in scores.values())
    return SliceRow(
        "set",
        case,
        method,
        "failed" if failed else "ok",
        seconds=float(len(case)),
        cpu_s=2.0 * len(case),
        folded=None if failed else 0.1,
        unit="px",
        scores=values,
    )


ROWS = [
    make_row("a", "own", {"1": (0.5, 0.7), "10": (0.4, 0.6), "2": (0.1, 0.2), "mask": (0.9, 0.95)}),
    make_row("bb", "own", {"1": (0.5, 0.9), "mask": (0.8, 0.85)}),
    make_row("cccc", "own", {"1": (0.2, None), "mask": (0.7, None)}),
]


def test_means_are_over_the_cases_that_have_the_label() -> None:
    (summary,) = summarise_slices(ROWS)
    assert (summary.cases, summary.failed, summary.fallback) == (3, 1, 0)
    first = summary.scores["dice 1"]
    assert (first.cases, first.mean, first.before) == (3, pytest.approx(0.6), pytest.approx(0.4))
    assert first.sd == pytest.approx(0.36056, abs=1e-5)  # of .7, .9 and, failed, .2
    assert (summary.scores["dice 2"].cases, summary.scores["dice 2"].sd) == (1, 0)
    assert summary.scores["dice mean"].mean == pytest.approx((0.5 + 0.9 + 0.2) / 3)
    assert summary.scores["hd95 mask"].mean == pytest.approx((9.5 + 8.5 + 7) / 3)
    assert summary.folded == pytest.approx(0.2 / 3)
    assert (summary.seconds, summary.cpu_s) == (2, 4)


def test_a_table_has_labels_in_order_and_the_slices_as_given_first() -> None:
    (table,) = make_tables(summarise_slices(ROWS))
    assert table.head == (
        *("method", "cases", "none", "Dice 1", "Dice 2", "Dice 10", "Dice mean", "Dice mask"),
        *("HD95 px", "surface px", "folds %", "s", "CPU s"),
    )
    given, own = table.lines
    assert given[:4] == ("as given", "3", "", "0.400")
    assert own[:4] == ("own", "3", "1", "0.600 ± 0.361")
    assert own[-3:] == ("6.67", "2.00", "4.00")


def test_identity_stands_for_the_slices_as_given() -> None:
    identity = [replace(row, method="identity") for row in ROWS]
    (table,) = make_tables(summarise_slices([*identity, *ROWS]))
    assert [line[0] for line in table.lines] == ["identity", "own"]


def test_each_data_set_has_a_table_of_its_own_scores() -> None:
    mask = replace(
        make_row("a", "own", {"mask": (0.9, 0.95)}),
        data_set="other",
        unit="µm",
    )
    landmarks = {"tre rms um": BeforeAfter(50.0, 12.0), "rtre median": BeforeAfter(0.02, 0.005)}
    mask = replace(mask, scores={**mask.scores, **landmarks})
    tables = make_tables(summarise_slices([*ROWS, mask]))
    assert [table.data_set for table in tables] == ["set", "other"]
    assert tables[1].head[3:8] == ("Dice mask", "HD95 µm", "surface µm", "TRE rms µm", "rTRE")
    assert tables[1].lines[1][6:8] == ("12.0 ± 0.0", "0.0050 ± 0.0000")


def test_formats_hold_the_same_cells(tmp_path: Path) -> None:
    summaries = summarise_slices(ROWS)
    (table,) = make_tables(summaries)
    markdown = format_markdown(table).splitlines()
    assert markdown[0].startswith("| method | cases | none | Dice 1 |")
    assert markdown[3].startswith("| `own` | 3 | 1 | 0.600 ± 0.361 |")
    text = format_text(table).splitlines()
    assert len({line.index("±") for line in text if "±" in line}) == 1
    assert text[2].split()[:6] == ["own", "3", "1", "0.600", "±", "0.361"]
    write_summaries(tmp_path / "summary.csv", summaries)
    with (tmp_path / "summary.csv").open(newline="") as file:
        lines = {row["score"]: row for row in csv.DictReader(file)}
    assert lines["dice 1"]["mean"] == "0.6"
    assert lines["dice 1"]["before"] == "0.4"
    assert set(lines) == set(summaries[0].scores)
