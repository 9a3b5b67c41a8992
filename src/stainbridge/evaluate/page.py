"""Write `benchmark.html`: one file with the table, the curves, and cases in pictures."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.resources import files
from itertools import chain, islice
from pathlib import Path

import jinja2
import numpy as np

from stainbridge.evaluate.curves import Chart, make_chart
from stainbridge.evaluate.methods.registry import METHODS
from stainbridge.evaluate.row import Row
from stainbridge.evaluate.runner import AFTER, BEFORE, output_paths
from stainbridge.evaluate.summary import MethodSummary, select_scored_rows, summarise
from stainbridge.whole import whole_file

#: The file name of the page.
PAGE = "benchmark.html"
#: Cases shown in pictures, at most: a page of some MB. All are in `results.csv`.
MAX_CARDS = 40


@dataclass(frozen=True)
class CardResult:
    """One method's result on a card."""

    method: str
    """The name of the method."""
    picture: str
    """The overlay as a data address, empty where there is none."""
    row: Row
    """The row of the run."""


@dataclass(frozen=True)
class Card:
    """One case from one start: unregistered, and with the result of every method."""

    title: str
    """The data set and the case."""
    start: str
    """The name of the start."""
    before: str
    """The overlay of the unregistered slides as a data address."""
    initial: float
    """Their median rTRE."""
    results: tuple[CardResult, ...]
    """The results, the worst first."""
    medians: tuple[float, ...]
    """The median rTRE by method, in the order of the page's list; -1 where there is none."""


@dataclass(frozen=True)
class StartSection:
    """The part of the page about one kind of start."""

    kind: str
    """`given` or `hard`."""
    summaries: tuple[MethodSummary, ...]
    """A line of the table for each method."""
    chart: Chart
    """Their error curves."""


def write_page(out: Path, rows: Sequence[Row], command: str) -> None:
    """Write the page into `out`, whole or not at all; pictures are taken from there."""
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    source = files("stainbridge.evaluate").joinpath("template.html").read_text(encoding="utf-8")
    scored = select_scored_rows(rows)
    methods = list(dict.fromkeys(row.method for row in rows))
    cards = worst_cards(out, scored, methods)
    content = {
        "sections": make_sections(scored),
        "methods": methods,
        "descriptions": {name: method.description for name, method in METHODS.items()},
        "cards": cards,
        "left_out": len({row.key[:3] for row in scored}) - len(cards),
        "troubles": [row for row in rows if not row.has_transform],
        "unscored": len(rows) - len(scored),
        "data_sets": list(dict.fromkeys(row.data_set for row in rows)),
        "cases": len({row.key[:2] for row in rows}),
        "runs": len(rows),
        "command": command,
        "version": version("stainbridge"),
    }
    with whole_file(out / PAGE) as temporary:
        temporary.write_text(environment.from_string(source).render(content), encoding="utf-8")


def make_sections(rows: Sequence[Row]) -> list[StartSection]:
    """Return a section for each kind of start."""
    summaries = summarise(rows)
    return [
        StartSection(
            kind,
            tuple(summary for summary in summaries if summary.kind == kind),
            make_chart(_medians(rows, kind)),
        )
        for kind in dict.fromkeys(summary.kind for summary in summaries)
    ]


def _medians(rows: Sequence[Row], kind: str) -> dict[str, list[float]]:
    medians: dict[str, list[float]] = {}
    for row in rows:
        if row.kind == kind:
            medians.setdefault(row.method, []).append(_counted_median(row))
    return medians


def _counted_median(row: Row) -> float:
    """Return the median rTRE as ANHIR counts it."""
    errors = row.errors
    return errors.effective.median if errors is not None else float("nan")


def worst_cards(out: Path, rows: Sequence[Row], methods: Sequence[str]) -> list[Card]:
    """Return a card for each case and start, the worst by the median over methods first.

    There are `MAX_CARDS` at most. Of more, the worst by the median and the worst of each method
    are taken in turns.
    """
    grouped: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        grouped.setdefault(row.key[:3], []).append(row)
    errors = {
        key: {row.method: _counted_median(row) for row in group} for key, group in grouped.items()
    }
    ordered = sorted(grouped, key=lambda key: -float(np.median(list(errors[key].values()))))
    by_method = (sorted(ordered, key=lambda key: -errors[key].get(name, -1.0)) for name in methods)
    in_turns = dict.fromkeys(chain.from_iterable(zip(ordered, *by_method, strict=True)))
    shown = set(islice(in_turns, MAX_CARDS))
    return [_card(out, grouped[key], methods) for key in ordered if key in shown]


def _card(out: Path, rows: Sequence[Row], methods: Sequence[str]) -> Card:
    by_method = {row.method: _counted_median(row) for row in rows}
    initial = rows[0].before.median if rows[0].before is not None else float("nan")
    results = [
        CardResult(row.method, _data_uri(out / output_paths(row).get(AFTER, Path())), row)
        for row in rows
    ]
    return Card(
        title=f"{rows[0].data_set} / {rows[0].case}",
        start=rows[0].start,
        before=_data_uri(out / output_paths(rows[0])[BEFORE]),
        initial=initial,
        results=tuple(sorted(results, key=lambda result: -_counted_median(result.row))),
        medians=tuple(by_method.get(name, -1.0) for name in methods),
    )


def _data_uri(path: Path) -> str:
    if not path.is_file():
        return ""
    return f"data:image/jpeg;base64,{base64.b64encode(path.read_bytes()).decode('ascii')}"
