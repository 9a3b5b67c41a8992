"""The rows as `results.csv`, and as ANHIR's submission."""

from __future__ import annotations

import csv
import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stainbridge.evaluate.job import Row, slug
from stainbridge.evaluate.runner import POINTS
from stainbridge.whole import whole_file

RESULTS, SUBMISSIONS, SUBMISSION = "results.csv", "anhir", "registration-results.csv"
PARTS = ("median", "mean", "p90", "max")
#: ANHIR's columns; `Source` is moving, `Target` fixed.
ANHIR_COLUMNS = (
    "",
    "Source image",
    "Source landmarks",
    "Target image",
    "Target landmarks",
    "Image size [pixels]",
    "Image diagonal [pixels]",
    "status",
    "Warped source landmarks",
    "Execution time [minutes]",
)


def write_results(path: Path, rows: Sequence[Row]) -> None:
    """Every run as a line; empty where there is no number."""
    lines = [_flat(row) for row in rows]
    _write_csv(path, tuple(lines[0]) if lines else (), (line.values() for line in lines))


def _flat(row: Row) -> dict[str, Any]:
    rtre = {f"rtre_{when}_{part}": _number(row, when, part) for when in ("before", "after") for part in PARTS}
    return {
        "data_set": row.data_set,
        "case": row.case,
        "start": row.start,
        "method": row.method,
        "status": row.status,
        "landmarks": row.landmarks,
        **rtre,
        "robustness": round(row.robustness, 4),
        "tre_px_median": row.tre_px,
        "folded": row.folded,
        "predicted_rtre": row.predicted_rtre,
        "seconds": row.seconds,
        "cpu_s": row.cpu_s,
        "wall_s": row.wall_s,
        "peak_mb": row.peak_mb,
        "reason": row.reason,
    }


def _number(row: Row, when: str, part: str) -> float | None:
    spread = getattr(row, when)
    return None if spread is None else float(getattr(spread, part))


def write_submissions(out: Path, rows: Sequence[Row], roots: dict[str, Path]) -> None:
    """For each data set and method ANHIR's table of results and the warped landmark files it names.

    Borovec et al. 2020. Slides as given only; without a result the landmarks column is empty, which ANHIR counts as
    unregistered. `roots` are the data sets' folders: paths in the table are relative to them.
    """
    given = [row for row in rows if row.kind == "given"]
    for data_set, method in dict.fromkeys((row.data_set, row.method) for row in given):
        folder = out / SUBMISSIONS / data_set / method
        (folder / "landmarks").mkdir(parents=True, exist_ok=True)
        own = [row for row in given if (row.data_set, row.method) == (data_set, method)]
        lines = [_submitted(row, out, folder, roots[data_set]) for row in own]
        _write_csv(folder / SUBMISSION, ANHIR_COLUMNS, lines)


def _submitted(row: Row, out: Path, folder: Path, root: Path) -> list[Any]:
    source, target = (_relative(path, root) for path in (row.moving, row.fixed))
    name = f"{slug((row.case,))}.csv"
    warped = out / POINTS / f"{row.slug}.csv"
    if warped.is_file():
        shutil.copyfile(warped, folder / "landmarks" / name)
    width, height = row.fixed_size
    return [
        row.case,
        source,
        Path(source).with_suffix(".csv").as_posix(),
        target,
        Path(target).with_suffix(".csv").as_posix(),
        f"({height}, {width})",
        f"{float(np.hypot(width, height)):.1f}",
        "training" if row.before is not None else "evaluation",
        f"landmarks/{name}" if warped.is_file() else "",
        "" if row.seconds is None else f"{row.seconds / 60:.5f}",
    ]


def _relative(path: str, root: Path) -> str:
    """The slide's path in its data set, without the folder ANHIR keeps all images in."""
    if not path:
        return ""
    return Path(os.path.relpath(path, root)).as_posix().removeprefix("dataset_ANHIR/").removeprefix("images/")


def _write_csv(path: Path, header: Sequence[str], lines: Iterable[Iterable[Any]]) -> None:
    with whole_file(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(lines)
