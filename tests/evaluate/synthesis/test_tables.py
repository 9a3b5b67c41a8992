from __future__ import annotations

import pytest

from stainbridge.evaluate.synthesis.row import SynthesisRow
from stainbridge.evaluate.synthesis.tables import (
    PATCHES,
    render_markdown,
    summarise_rows,
    tabulate,
)


def row(case: str, method: str, status: str = "ok", ncc: float | None = None) -> SynthesisRow:
    return SynthesisRow("set", case, "real", method, status, patch_ncc=ncc, seconds=2.0)


ROWS = [
    row("a", "identity", ncc=0.1),
    row("a", "net", ncc=0.5),
    row("b", "identity", ncc=0.2),
    row("b", "net", "failed"),
    row("c", "identity", "skipped"),
    row("c", "net", "skipped"),
]


def test_a_failed_run_counts_as_unregistered_and_a_skipped_one_not_at_all() -> None:
    identity, net = summarise_rows(ROWS)
    assert (identity.cases, identity.failed) == (2, 0)
    assert (net.cases, net.failed) == (2, 1)
    assert net.means["patch_ncc"] == pytest.approx((0.5 + 0.2) / 2)
    assert "rtre_median" not in net.means


def test_tables_hold_the_measures_that_are_known() -> None:
    known, lines = tabulate(summarise_rows(ROWS), PATCHES)
    assert known == ["patch_ncc"]
    assert lines == [["identity", "real", "2", "", "0.1500"], ["net", "real", "2", "1", "0.3500"]]


def test_markdown_has_a_table_for_each_kind_of_measure_that_is_known() -> None:
    text = render_markdown(summarise_rows(ROWS), str.upper)
    assert text.startswith("### SET\n\nPatches:\n\n| method | data | cases | failed | NCC |\n")
    assert "| net | real | 2 | 1 | 0.3500 |" in text
    assert "Landmarks" not in text


def test_a_row_as_text_is_the_row_again() -> None:
    full = SynthesisRow("set", "a,b", "syn-1", "net", "ok", "why\nnot", "fixed", 3, 0.25, patches=2)
    assert SynthesisRow.from_line(full.to_line()) == full
