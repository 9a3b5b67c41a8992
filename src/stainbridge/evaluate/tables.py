"""Write rows as `results.csv`, and as ANHIR's submission."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stainbridge.evaluate.row import Row, slug
from stainbridge.evaluate.runner import POINTS
from stainbridge.whole import whole_file

#: The table of all runs.
RESULTS = "results.csv"
#: The folder of submissions, and the table in each.
SUBMISSIONS = "anhir"
SUBMISSION = "registration-results.csv"
#: The columns of a `Spread`.
STATISTICS = ("median", "mean", "p90", "max")
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
    """Write every run as a line; a field is empty where there is no number."""
    lines = [_result_line(row) for row in rows]
    _write_csv(path, tuple(lines[0]) if lines else (), (line.values() for line in lines))


def _result_line(row: Row) -> dict[str, Any]:
    rtre = {
        f"rtre_{when}_{statistic}": _statistic(row, when, statistic)
        for when in ("before", "after")
        for statistic in STATISTICS
    }
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
        "tre_um_p90_counted": None if row.counted_um is None else row.counted_um.p90,
        "folded": row.folded,
        "predicted_rtre": row.predicted_rtre,
        "seconds": row.seconds,
        "cpu_s": row.cpu_s,
        "wall_s": row.wall_s,
        "peak_mb": row.peak_mb,
        "reason": row.reason,
    }


def _statistic(row: Row, when: str, statistic: str) -> float | None:
    spread = getattr(row, when)
    return None if spread is None else float(getattr(spread, statistic))


def write_submissions(out: Path, rows: Sequence[Row]) -> None:
    """Write ANHIR's table of results and its warped landmarks, for each data set and method.

    Borovec et al. 2020. Only slides as given are listed. Without a result the landmarks column is
    empty, which ANHIR counts as unregistered. Paths in the table are those of ANHIR's cover table,
    by which its evaluation finds cases, or those in the data set's folder.
    """
    given = [row for row in rows if row.kind == "given"]
    for data_set, method in dict.fromkeys((row.data_set, row.method) for row in given):
        folder = out / SUBMISSIONS / data_set / method
        (folder / "landmarks").mkdir(parents=True, exist_ok=True)
        own = [row for row in given if (row.data_set, row.method) == (data_set, method)]
        lines = [_submission_line(row, out, folder) for row in own]
        _write_csv(folder / SUBMISSION, ANHIR_COLUMNS, lines)


def _submission_line(row: Row, out: Path, folder: Path) -> list[Any]:
    name = f"{slug((row.case,))}.csv"
    warped = out / POINTS / f"{row.slug}.csv"
    has_points = row.has_transform and warped.is_file()
    if has_points:
        shutil.copyfile(warped, folder / "landmarks" / name)
    width, height = row.fixed_size
    *paths, status = row.cover or _cover_entry(row)
    return [
        row.case,
        *paths,
        f"({height}, {width})",
        f"{float(np.hypot(width, height)):.1f}",
        status,
        f"landmarks/{name}" if has_points else "",
        "" if row.seconds is None else f"{row.seconds / 60:.5f}",
    ]


def _cover_entry(row: Row) -> tuple[str, ...]:
    """Return a line of a cover table for a case of another layout.

    Landmarks are taken to lie beside their images.
    """
    status = "training" if row.before is not None else "evaluation"
    return row.moving, _csv_beside(row.moving), row.fixed, _csv_beside(row.fixed), status


def _csv_beside(path: str) -> str:
    return Path(path).with_suffix(".csv").as_posix() if path else ""


def _write_csv(path: Path, header: Sequence[str], lines: Iterable[Iterable[Any]]) -> None:
    with whole_file(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(lines)
