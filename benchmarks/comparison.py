"""Tables in Markdown from folders that `stainbridge benchmark landmarks` left.

    python benchmarks/comparison.py docs/comparison/*
    python benchmarks/comparison.py bench --keep docs/comparison
    python benchmarks/comparison.py docs/comparison/* --picture docs/images/comparison.svg

One table for each folder and kind of start; only runs that every method of the folder has made are counted, so that a
benchmark that is still going on compares like with like. `--keep` also copies the runs, without
pictures, to folders that `benchmark landmarks` and `benchmark join` go on from. `--picture` draws their errors.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections import defaultdict
from pathlib import Path
from typing import Any

from comparison_picture import draw
from stainbridge.evaluate.job import Row
from stainbridge.evaluate.ledger import RUNS, SETUP, read_rows
from stainbridge.evaluate.summary import MethodSummary, scored, summarise

COLUMNS = (
    *("method", "median rTRE", "mean rTRE", "success", "no result", "landmarks nearer", "rank", "CPU s", "peak MB"),
    *("folds", "in doubt", "worst not in doubt"),
)

WORDS = {"given": "as given", "hard": "turned, mirrored, cropped"}


def common(rows: list[Row]) -> list[Row]:
    """The rows of the runs that all methods of that kind of start have made."""
    by_run: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    for row in rows:
        by_run[row.key[:3]].append(row)
    methods = {kind: {row.method for row in rows if row.kind == kind} for kind in ("given", "hard")}
    return [row for run in by_run.values() for row in run if {r.method for r in run} == methods[row.kind]]


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
        str(item.fallback or "–"),
        "–" if item.worst_ok is None else f"{item.worst_ok:.4f}",
    )
    return f"| {' | '.join(cells)} |"


def tables(folder: Path) -> str:
    """Markdown."""
    found = summarise(common(read_rows(folder)))
    parts = []
    for kind in dict.fromkeys(item.kind for item in found):
        some = sorted((item for item in found if item.kind == kind), key=lambda item: item.scores.amrtre)
        parts += [f"{folder.name}, {kind}, {some[0].scores.cases} registrations:", ""]
        parts += [f"| {' | '.join(COLUMNS)} |", "|" + " --- |" * len(COLUMNS), *map(line, some), ""]
    return "\n".join(parts)


def panels(folder: Path) -> dict[str, dict[str, list[float]]]:
    """Median rTREs by title and method, as ANHIR counts them."""
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in scored(common(read_rows(folder))):
        if row.errors is not None:
            found[f"{folder.name}, {WORDS[row.kind]}"][row.method].append(row.errors.counted.median)
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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+", metavar="DIR")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="a folder of DIR for each")
    parser.add_argument("--picture", type=Path, metavar="SVG", help="draw the errors, as cumulative curves")
    arguments = parser.parse_args()
    for folder in arguments.folders:
        print(tables(folder))
        if arguments.keep:
            keep(folder, arguments.keep / folder.name)
    if arguments.picture:
        draw(arguments.picture, {title: some for folder in arguments.folders for title, some in panels(folder).items()})


if __name__ == "__main__":
    main()
