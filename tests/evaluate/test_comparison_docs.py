"""The tables of docs/comparison.md are what the runs beside it say."""

from __future__ import annotations

from pathlib import Path

import pytest

from stainbridge.evaluate.ledger import SETUP, read_rows, read_setup
from stainbridge.evaluate.summary import summarise

DOCS = Path(__file__).parents[2] / "docs"
#: How the table of a folder and a kind of start is headed. Methods that have not made all its runs are not in it.
HEADINGS = {
    ("sections", "given"): "Sections, as given, 10 registrations:",
    ("sections", "hard"): "Sections, hard starts, 20 registrations:",
    ("scanners", "given"): "Scanners, as given, 12 registrations:",
    ("scanners", "hard"): "Scanners, hard starts, 24 registrations:",
    ("generated", "given"): "Generated, as given, 50 registrations:",
    ("generated", "hard"): "Generated, hard starts, 50 registrations:",
}
FOLDERS = sorted({name for name, _ in HEADINGS})


@pytest.mark.parametrize("name", FOLDERS)
def test_tables_say_what_the_runs_say(name: str) -> None:
    folder = DOCS / "comparison" / name
    rows = read_rows(folder)
    assert {row.method for row in rows} == set(read_setup(folder / SETUP).methods)
    text = (DOCS / "comparison.md").read_text(encoding="utf-8")
    for item in summarise(rows):
        heading, scores = HEADINGS[name, item.kind], item.scores
        assert heading in text
        if f" {scores.cases} " in heading:
            table = text.partition(heading)[2].partition("registrations:")[0]
            assert f"| `{item.method}` | {scores.mmrtre:.4f} | {scores.amrtre:.4f} | {item.success:.0%} |" in table
            column = heading.rpartition(",")[0]
            assert overview(text)[item.method][column] == f"{scores.mmrtre:.4f}, {item.success:.0%}"


def overview(text: str) -> dict[str, dict[str, str]]:
    """The first table: its cells by method and column."""
    header, _, *lines = (line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("|"))
    return {cells[0].strip("`"): dict(zip(header, cells, strict=True)) for cells in lines if len(cells) == len(header)}


def test_runs_name_no_place_on_a_machine() -> None:
    rows = [row for name in FOLDERS for row in read_rows(DOCS / "comparison" / name)]
    assert not [row for row in rows if row.fixed.startswith(("/", "..")) or row.moving.startswith(("/", ".."))]
