from __future__ import annotations

from pathlib import Path

import pytest

from stainbridge.errors import InputError
from stainbridge.evaluate.slices.row import BeforeAfter, SliceRow, read_rows, write_rows


def make_row(case: str, after: float | None = 0.75, **scores: float) -> SliceRow:
    """A row whose scores are given before."""
    return SliceRow(
        data_set="set",
        case=case,
        method="m",
        status="failed" if after is None else "ok",
        seconds=1.5,
        cpu_s=2.5,
        folded=None if after is None else 0.25,
        unit="µm",
        scores={name: BeforeAfter(value, after) for name, value in scores.items()},
        reason="it gave up, in 'one, line'" if after is None else "",
    )


def test_rows_survive_their_csv(tmp_path: Path) -> None:
    rows = [make_row("a", dice=0.5), make_row("b", after=None, dice=0.5, hd95=3.25)]
    write_rows(tmp_path / "rows.csv", rows)
    assert read_rows(tmp_path / "rows.csv") == rows
    assert read_rows(tmp_path / "none.csv") == []


def test_a_missing_result_counts_as_before() -> None:
    assert BeforeAfter(0.5, None).counted == 0.5
    assert BeforeAfter(0.5, 0.75).counted == 0.75


@pytest.mark.parametrize("text", ["case,method\na,b\n", "\x00", "data_set,case\n"])
def test_other_tables_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "rows.csv"
    write_rows(path, [make_row("a", dice=0.5)])
    path.write_text(path.read_text().replace("1.500", "soon") if text == "\x00" else text)
    if text.count("\n") == 1:
        assert read_rows(path) == []  # a head alone is a table without rows
        return
    with pytest.raises(InputError, match="not rows of evaluate slices"):
        read_rows(path)
