"""`benchmark.html`: one file with the table, the curves, and every case in pictures, the worst
first.
"""

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

from stainbridge.evaluate.curves import Chart, chart
from stainbridge.evaluate.job import Row
from stainbridge.evaluate.methods.registry import ABOUT
from stainbridge.evaluate.runner import AFTER, BEFORE, places
from stainbridge.evaluate.summary import MethodSummary, scored, summarise
from stainbridge.whole import whole_file

PAGE = "benchmark.html"
#: So many cases are shown in pictures; all are in `results.csv`.
MOST_CARDS = 40


@dataclass(frozen=True)
class Shot:
    """One method's result on a card; `picture` is a data address, empty where there is none."""

    method: str
    picture: str
    row: Row


@dataclass(frozen=True)
class Card:
    """One case from one start: as it was, and what every method made of it, the worst first."""

    title: str
    start: str
    before: str
    initial: float
    shots: tuple[Shot, ...]
    worst: tuple[float, ...]  # by method, in the order of the page's list


@dataclass(frozen=True)
class Section:
    """All about one kind of start."""

    kind: str
    summaries: tuple[MethodSummary, ...]
    chart: Chart


def write_page(out: Path, rows: Sequence[Row], command: str) -> None:
    """Write the page into `out`, whole or not at all; pictures are taken from there."""
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    source = files("stainbridge.evaluate").joinpath("template.html").read_text(encoding="utf-8")
    known = scored(rows)
    methods = list(dict.fromkeys(row.method for row in rows))
    shown = cards(out, known, methods)
    content = {
        "sections": sections(known),
        "methods": methods,
        "about": ABOUT,
        "cards": shown,
        "left_out": len({row.key[:3] for row in known}) - len(shown),
        "troubles": [row for row in rows if not row.ended_well],
        "unscored": len(rows) - len(known),
        "data_sets": list(dict.fromkeys(row.data_set for row in rows)),
        "cases": len({row.key[:2] for row in rows}),
        "runs": len(rows),
        "command": command,
        "version": version("stainbridge"),
    }
    with whole_file(out / PAGE) as temporary:
        temporary.write_text(environment.from_string(source).render(content), encoding="utf-8")


def sections(rows: Sequence[Row]) -> list[Section]:
    """A section for each kind of start."""
    found = summarise(rows)
    return [
        Section(
            kind, tuple(item for item in found if item.kind == kind), chart(_medians(rows, kind))
        )
        for kind in dict.fromkeys(item.kind for item in found)
    ]


def _medians(rows: Sequence[Row], kind: str) -> dict[str, list[float]]:
    medians: dict[str, list[float]] = {}
    for row in rows:
        if row.kind == kind:
            medians.setdefault(row.method, []).append(_counted(row))
    return medians


def _counted(row: Row) -> float:
    """The median rTRE as ANHIR counts it."""
    errors = row.errors
    return errors.counted.median if errors is not None else float("nan")


def cards(out: Path, rows: Sequence[Row], methods: Sequence[str]) -> list[Card]:
    """Cases and starts, the ones that methods did worst on (median over methods) first;
    `MOST_CARDS` at most.

    Where there are more, the worst by the median and the worst of each method are shown, in turns.
    """
    grouped: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        grouped.setdefault(row.key[:3], []).append(row)
    errors = {key: {row.method: _counted(row) for row in group} for key, group in grouped.items()}
    ordered = sorted(grouped, key=lambda key: -float(np.median(list(errors[key].values()))))
    of_methods = (sorted(ordered, key=lambda key: -errors[key].get(name, -1.0)) for name in methods)
    in_turns = dict.fromkeys(chain.from_iterable(zip(ordered, *of_methods, strict=True)))
    shown = set(islice(in_turns, MOST_CARDS))
    return [_card(out, grouped[key], methods) for key in ordered if key in shown]


def _card(out: Path, rows: Sequence[Row], methods: Sequence[str]) -> Card:
    by_method = {row.method: _counted(row) for row in rows}
    initial = rows[0].before.median if rows[0].before is not None else float("nan")
    shots = [Shot(row.method, _picture(out / places(row).get(AFTER, Path())), row) for row in rows]
    return Card(
        title=f"{rows[0].data_set} / {rows[0].case}",
        start=rows[0].start,
        before=_picture(out / places(rows[0])[BEFORE]),
        initial=initial,
        shots=tuple(sorted(shots, key=_badness)),
        worst=tuple(by_method.get(name, -1.0) for name in methods),
    )


def _badness(shot: Shot) -> float:
    return -_counted(shot.row)


def _picture(path: Path) -> str:
    if not path.is_file():
        return ""
    return f"data:image/jpeg;base64,{base64.b64encode(path.read_bytes()).decode('ascii')}"
