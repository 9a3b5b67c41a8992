"""Print tables in Markdown from folders of `stainbridge benchmark landmarks`.

    FOLDERS=$(echo docs/results/comparison/{sections,scanners,generated})
    python benchmarks/comparison.py $FOLDERS
    python benchmarks/comparison.py $FOLDERS --page docs/results/comparison.md
    python benchmarks/comparison.py $FOLDERS --picture docs/images/comparison.svg
    python benchmarks/comparison.py bench --keep docs/results/comparison

There is one table for each folder and kind of start, and one over all of them. Only runs that every
method of the folder has made are counted, so that an unfinished benchmark compares the same runs.
`--keep` copies the runs, without pictures, to folders that `benchmark landmarks` and `benchmark
join` can resume. `--page` replaces the tables of a page; methods without runs lose their lines.
`--picture` draws the errors.
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
from stainbridge.evaluate.ledger import RUNS, SETUP, read_rows
from stainbridge.evaluate.row import Row
from stainbridge.evaluate.summary import MethodSummary, select_scored_rows, summarise

COLUMNS = (
    *("method", "median rTRE", "mean rTRE", "success", "no result"),
    *("landmarks nearer", "rank", "CPU s", "peak MB", "folds"),
)

#: What stands before the table over all folders.
ABOVE_OVERVIEW = "Median rTRE, and the share of registrations below .01, which count as a success:"
#: Kinds of starts as titles say them.
START_NAMES = {"given": "as given", "hard": "hard starts"}


def select_common_rows(rows: list[Row]) -> list[Row]:
    """Return the rows of the cases and starts that all methods have run."""
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


def table_line(item: MethodSummary) -> str:
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


def rows_by_title(folder: Path) -> dict[str, list[Row]]:
    """Return the rows that count, by the title of their table."""
    by_title: dict[str, list[Row]] = defaultdict(list)
    for row in select_common_rows(select_scored_rows(read_rows(folder))):
        by_title[f"{folder.name.capitalize()}, {START_NAMES[row.kind]}"].append(row)
    return by_title


def table(title: str, rows: list[Row]) -> tuple[str, list[str]]:
    """Return a table's heading and its lines in Markdown, the least mean error first."""
    items = sorted(summarise(rows), key=lambda item: item.scores.amrtre)
    return f"{title}, {items[0].scores.cases} registrations:", [
        *_head(COLUMNS),
        *map(table_line, items),
    ]


def overview(sets: dict[str, list[Row]]) -> tuple[str, list[str]]:
    """Return heading and lines of the table over all sets, the most successful method first."""
    by_set = [{item.method: item for item in summarise(rows)} for rows in sets.values()]
    successes = defaultdict(list)
    for items in by_set:
        for item in items.values():
            successes[item.method].append(item.success)
    names = sorted(successes, key=lambda name: -sum(successes[name]) / len(successes[name]))
    lines = [_overview_line(name, [items.get(name) for items in by_set]) for name in names]
    return ABOVE_OVERVIEW, [*_head(["method", *sets, "CPU s"]), *lines]


def _overview_line(name: str, items: list[MethodSummary | None]) -> str:
    cells = [
        "…" if item is None else f"{item.scores.mmrtre:.4f}, {item.success:.0%}" for item in items
    ]
    cpu_s = [item.cpu_s for item in items if item is not None and item.cpu_s is not None]
    bounds = (f"{min(cpu_s):.0f}", f"{max(cpu_s):.0f}") if cpu_s else ("", "")
    cells.append("–".join(dict.fromkeys(bounds)) if cpu_s else "–")
    return f"| `{name}` | {' | '.join(cells)} |"


def _head(columns: Sequence[str]) -> list[str]:
    return [f"| {' | '.join(columns)} |", "|" + " --- |" * len(columns)]


def replace_tables(page: str, tables: Sequence[tuple[str, list[str]]]) -> str:
    """Return the page with its tables replaced by those under the same headings."""
    for heading, lines in tables:
        before, separator, after = page.partition(f"{heading}\n\n|")
        if not separator:
            raise SystemExit(f"the page has no table after: {heading}")
        rest = after.splitlines(keepends=True)
        below = dropwhile(lambda line: line.startswith("|"), rest[1:])
        page = "".join([before, heading, "\n\n", *(f"{line}\n" for line in lines), *below])
    return page


def medians_by_method(rows: list[Row]) -> dict[str, list[float]]:
    """Return median rTREs by method, as ANHIR counts them."""
    medians: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        if row.errors is not None:
            medians[row.method].append(row.errors.effective.median)
    return medians


def copy_runs(folder: Path, out: Path) -> None:
    """Copy the runs of `folder` to `out`, with numbers to six digits."""
    out.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(folder / SETUP, out / SETUP)
    lines = [json.dumps(round_numbers(row.to_dict())) for row in read_rows(folder)]
    (out / RUNS).write_text("".join(f"{line}\n" for line in sorted(lines)), encoding="utf-8")


def round_numbers(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: round_numbers(part) for name, part in value.items()}
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
    sets = {
        title: rows for folder in arguments.folders for title, rows in rows_by_title(folder).items()
    }
    tables = [table(title, rows) for title, rows in sets.items()]
    if len(arguments.folders) > 1:
        tables.insert(0, overview(sets))
    for heading, lines in tables:
        print("\n".join([heading, "", *lines, ""]))
    if arguments.page:
        arguments.page.write_text(
            replace_tables(arguments.page.read_text(encoding="utf-8"), tables), encoding="utf-8"
        )
    if arguments.keep:
        for folder in arguments.folders:
            copy_runs(folder, arguments.keep / folder.name)
    if arguments.picture:
        draw(arguments.picture, {title: medians_by_method(rows) for title, rows in sets.items()})


if __name__ == "__main__":
    main()
