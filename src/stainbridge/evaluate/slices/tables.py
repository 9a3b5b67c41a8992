"""Show summaries as tables: CSV, Markdown, and text for a terminal."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stainbridge.evaluate.slices.scores import MASK
from stainbridge.evaluate.slices.summary import (
    GIVEN,
    IDENTITY,
    MEAN,
    ScoreSummary,
    SliceSummary,
    list_labels,
)
from stainbridge.whole import whole_file

#: The file of summaries.
SUMMARY = "summary.csv"
#: Landmark errors that are shown, where there are any, with their heads and digits.
LANDMARK_COLUMNS = {
    "tre rms px": ("TRE rms px", 2),
    "tre median px": ("median px", 2),
    "tre rms um": ("TRE rms µm", 1),
    "tre median um": ("median µm", 1),
    "rtre median": ("rTRE", 4),
}


@dataclass(frozen=True)
class TextTable:
    """A table of one data set, as text."""

    data_set: str
    """The name of the data set."""
    head: tuple[str, ...]
    """The heads of the columns."""
    lines: tuple[tuple[str, ...], ...]
    """The cells."""


@dataclass(frozen=True)
class _Column:
    """A column of a score."""

    score: str
    head: str
    digits: int


def make_tables(summaries: Sequence[SliceSummary]) -> list[TextTable]:
    """Return a table for each data set: a line a method, mean ± sd of each score.

    The slices as given come first, unless they are a method.
    """
    return [
        _make_table([item for item in summaries if item.data_set == name])
        for name in dict.fromkeys(item.data_set for item in summaries)
    ]


def _make_table(summaries: Sequence[SliceSummary]) -> TextTable:
    columns = _list_columns(summaries)
    lines = [_method_line(item, columns) for item in summaries]
    if all(item.method != IDENTITY for item in summaries):
        lines.insert(0, _given_line(summaries[0], columns))
    head = (
        "method",
        "cases",
        "none",
        *(column.head for column in columns),
        "folds %",
        "s",
        "CPU s",
    )
    return TextTable(summaries[0].data_set, head, tuple(lines))


def _list_columns(summaries: Sequence[SliceSummary]) -> list[_Column]:
    names = {name for item in summaries for name in item.scores}
    labels = list_labels(names)
    unit = summaries[0].unit
    columns = [_Column(f"dice {label}", f"Dice {label}", 3) for label in labels]
    if labels:
        columns.append(_Column(f"dice {MEAN}", "Dice mean", 3))
    columns.append(_Column(f"dice {MASK}", "Dice mask", 3))
    structure = MEAN if labels else MASK
    columns.append(_Column(f"hd95 {structure}", f"HD95 {unit}", 2))
    columns.append(_Column(f"surface {structure}", f"surface {unit}", 2))
    columns += [_Column(name, *shown) for name, shown in LANDMARK_COLUMNS.items()]
    return [column for column in columns if column.score in names]


def _method_line(item: SliceSummary, columns: Sequence[_Column]) -> tuple[str, ...]:
    cells = (_format_score(item.scores.get(column.score), column.digits) for column in columns)
    failed = str(item.failed or "")
    return (
        item.method,
        str(item.cases),
        failed,
        *cells,
        f"{100 * item.folded:.2f}",
        f"{item.seconds:.2f}",
        f"{item.cpu_s:.2f}",
    )


def _given_line(item: SliceSummary, columns: Sequence[_Column]) -> tuple[str, ...]:
    scores = (item.scores.get(column.score) for column in columns)
    cells = (
        "" if score is None else f"{score.before:.{column.digits}f}"
        for score, column in zip(scores, columns, strict=True)
    )
    return GIVEN, str(item.cases), "", *cells, "", "", ""


def _format_score(score: ScoreSummary | None, digits: int) -> str:
    return "" if score is None else f"{score.mean:.{digits}f} ± {score.sd:.{digits}f}"


def format_markdown(table: TextTable) -> str:
    """Return a table in Markdown; names of methods are code."""
    lines = [_markdown_line(table.head), _markdown_line(["---"] * len(table.head))]
    lines += [_markdown_line((f"`{line[0]}`", *line[1:])) for line in table.lines]
    return "\n".join(lines)


def _markdown_line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def format_text(table: TextTable) -> str:
    """Return a table for a terminal, its columns aligned."""
    rows = (table.head, *table.lines)
    widths = [max(len(row[column]) for row in rows) for column in range(len(table.head))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def write_summaries(path: Path, summaries: Sequence[SliceSummary]) -> None:
    """Write a line for each data set, method and score, whole or not at all."""
    with whole_file(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("data_set", "method", "score", "cases", "before", "mean", "sd"))
        for item in summaries:
            for name, score in item.scores.items():
                numbers = (f"{value:.6g}" for value in (score.before, score.mean, score.sd))
                writer.writerow((item.data_set, item.method, name, score.cases, *numbers))
