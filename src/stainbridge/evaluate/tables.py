"""The rows as `results.csv`, and as ANHIR's submission."""

from __future__ import annotations

import csv
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
    rtre = {
        f"rtre_{when}_{part}": _number(row, when, part)
        for when in ("before", "after")
        for part in PARTS
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


def _number(row: Row, when: str, part: str) -> float | None:
    spread = getattr(row, when)
    return None if spread is None else float(getattr(spread, part))


def write_submissions(out: Path, rows: Sequence[Row]) -> None:
    """For each data set and method ANHIR's table of results and the warped landmark files it names.

    Borovec et al. 2020. Slides as given only; without a result the landmarks column is empty, which
    ANHIR counts as unregistered. Paths in the table are those of ANHIR's cover table, which its
    evaluation looks cases up by, or those in the data set's folder.
    """
    given = [row for row in rows if row.kind == "given"]
    for data_set, method in dict.fromkeys((row.data_set, row.method) for row in given):
        folder = out / SUBMISSIONS / data_set / method
        (folder / "landmarks").mkdir(parents=True, exist_ok=True)
        own = [row for row in given if (row.data_set, row.method) == (data_set, method)]
        lines = [_submitted(row, out, folder) for row in own]
        _write_csv(folder / SUBMISSION, ANHIR_COLUMNS, lines)


def _submitted(row: Row, out: Path, folder: Path) -> list[Any]:
    name = f"{slug((row.case,))}.csv"
    warped = out / POINTS / f"{row.slug}.csv"
    found = row.ended_well and warped.is_file()
    if found:
        shutil.copyfile(warped, folder / "landmarks" / name)
    width, height = row.fixed_size
    *paths, status = row.cover or _covered(row)
    return [
        row.case,
        *paths,
        f"({height}, {width})",
        f"{float(np.hypot(width, height)):.1f}",
        status,
        f"landmarks/{name}" if found else "",
        "" if row.seconds is None else f"{row.seconds / 60:.5f}",
    ]


def _covered(row: Row) -> tuple[str, ...]:
    """What a cover table would say of a case of another layout, with landmarks beside their images."""
    status = "training" if row.before is not None else "evaluation"
    return row.moving, _csv_beside(row.moving), row.fixed, _csv_beside(row.fixed), status


def _csv_beside(path: str) -> str:
    return Path(path).with_suffix(".csv").as_posix() if path else ""


def _write_csv(path: Path, header: Sequence[str], lines: Iterable[Iterable[Any]]) -> None:
    with whole_file(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(lines)
