"""Tables in Markdown from folders that `stainbridge benchmark landmarks` left.

    python benchmarks/comparison.py docs/comparison/{sections,scanners,generated} python
    benchmarks/comparison.py bench --keep docs/comparison python benchmarks/comparison.py
    docs/comparison/{sections,scanners,generated} --page docs/comparison.md python
    benchmarks/comparison.py docs/comparison/{sections,scanners,generated} --picture
    docs/images/comparison.svg

One table for each folder and kind of start, and one over all of them; only runs that every method
of the folder has made are counted, so that a benchmark that is still going on compares like with
like. `--keep` also copies the runs, without pictures, to folders that `benchmark landmarks` and
`benchmark join` go on from. `--page` puts the tables where a page has them, so that methods without
runs lose their lines; `--picture` draws the errors.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections import defaultdict
from collections.abc import Sequence
from itertools import dropwhile
from pathlib import Path
from typing import Any

from comparison_picture import draw
from stainbridge.evaluate.row import Row
from stainbridge.evaluate.ledger import RUNS, SETUP, read_rows
from stainbridge.evaluate.summary import MethodSummary, select_scored_rows, summarise

COLUMNS = (
    *("method", "median rTRE", "mean rTRE", "success", "no result"),
    *("landmarks nearer", "rank", "CPU s", "peak MB", "folds"),
)

ABOVE_OVERVIEW = "Median rTRE, and the share of registrations below .01, which count as a success:"
WORDS = {"given": "as given", "hard": "hard starts"}


def common(rows: list[Row]) -> list[Row]:
    """The rows of the runs that all methods of that kind of start have made."""
    by_run: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    for row in rows:
        by_run[row.key[:3]].append(row)
    methods = {kind: {row.method for row in rows if row.kind == kind} for kind in ("given", "hard")}
    return [
        row
        for run in by_run.values()
        for row in run
        if {r.method for r in run} == methods[row.kind]
    ]


def line(item: MethodSummary) -> str:
    scores = item.scores
    cells = (
        f"`{item.method}`",
        f"{scores.mmrtre:.4f}",
        f"{scores.amrtre:.4f}",
        f"{item.success:.0%}",
        str(scores.missing or "–"),
        f"{scores.robustness:.0%}",
        "–" if item.rank is None else f"{item.rank:.1f}",
        "–" if item.cpu_s is None else f"{item.cpu_s:.1f}",
        "–" if item.peak_mb is None else f"{item.peak_mb:.0f}",
        str(item.folded or "–"),
    )
    return f"| {' | '.join(cells)} |"


def titled(folder: Path) -> dict[str, list[Row]]:
    """The rows that count, by what their table is called."""
    found: dict[str, list[Row]] = defaultdict(list)
    for row in common(select_scored_rows(read_rows(folder))):
        found[f"{folder.name.capitalize()}, {WORDS[row.kind]}"].append(row)
    return found


def table(title: str, rows: list[Row]) -> tuple[str, list[str]]:
    """What stands before a table, and its lines in Markdown, the least mean error first."""
    items = sorted(summarise(rows), key=lambda item: item.scores.amrtre)
    return f"{title}, {items[0].scores.cases} registrations:", [*_head(COLUMNS), *map(line, items)]


def overview(sets: dict[str, list[Row]]) -> tuple[str, list[str]]:
    """The same of every method's median rTRE and success in all sets, the most successful first."""
    by_set = [{item.method: item for item in summarise(rows)} for rows in sets.values()]
    found = defaultdict(list)
    for item in (item for items in by_set for item in items.values()):
        found[item.method].append(item.success)
    names = sorted(found, key=lambda name: -sum(found[name]) / len(found[name]))
    lines = [_across(name, [items.get(name) for items in by_set]) for name in names]
    return ABOVE_OVERVIEW, [*_head(["method", *sets, "CPU s"]), *lines]


def _across(name: str, items: list[MethodSummary | None]) -> str:
    cells = [
        "…" if item is None else f"{item.scores.mmrtre:.4f}, {item.success:.0%}" for item in items
    ]
    spent = [item.cpu_s for item in items if item is not None and item.cpu_s is not None]
    cells.append(
        "–".join(dict.fromkeys((f"{min(spent):.0f}", f"{max(spent):.0f}"))) if spent else "–"
    )
    return f"| `{name}` | {' | '.join(cells)} |"


def _head(columns: Sequence[str]) -> list[str]:
    return [f"| {' | '.join(columns)} |", "|" + " --- |" * len(columns)]


def paged(page: str, tables: Sequence[tuple[str, list[str]]]) -> str:
    """The page with these tables in the place of those that stand after the same words."""
    for heading, lines in tables:
        before, found, after = page.partition(f"{heading}\n\n|")
        if not found:
            raise SystemExit(f"the page has no table after: {heading}")
        rest = after.splitlines(keepends=True)
        kept = dropwhile(lambda line: line.startswith("|"), rest[1:])
        page = "".join([before, heading, "\n\n", *(f"{line}\n" for line in lines), *kept])
    return page


def medians(rows: list[Row]) -> dict[str, list[float]]:
    """Median rTREs by method, as ANHIR counts them."""
    found: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        if row.errors is not None:
            found[row.method].append(row.errors.counted.median)
    return found


def keep(folder: Path, out: Path) -> None:
    """The runs of `folder` in `out`; numbers to six digits."""
    out.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(folder / SETUP, out / SETUP)
    lines = [json.dumps(rounded(row.to_dict())) for row in read_rows(folder)]
    (out / RUNS).write_text("".join(f"{line}\n" for line in sorted(lines)), encoding="utf-8")


def rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: rounded(part) for name, part in value.items()}
    return float(f"{value:.6g}") if isinstance(value, float) else value


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", type=Path, nargs="+", metavar="DIR")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="a folder of DIR for each")
    parser.add_argument(
        "--page",
        type=Path,
        metavar="MD",
        help="a page that has these tables, to be brought up to date",
    )
    parser.add_argument(
        "--picture", type=Path, metavar="SVG", help="draw the errors, as cumulative curves"
    )
    arguments = parser.parse_args()
    sets = {title: rows for folder in arguments.folders for title, rows in titled(folder).items()}
    tables = [table(title, rows) for title, rows in sets.items()]
    if len(arguments.folders) > 1:
        tables.insert(0, overview(sets))
    for heading, lines in tables:
        print("\n".join([heading, "", *lines, ""]))
    if arguments.page:
        arguments.page.write_text(
            paged(arguments.page.read_text(encoding="utf-8"), tables), encoding="utf-8"
        )
    if arguments.keep:
        for folder in arguments.folders:
            keep(folder, arguments.keep / folder.name)
    if arguments.picture:
        draw(arguments.picture, {title: medians(rows) for title, rows in sets.items()})


if __name__ == "__main__":
    main()
