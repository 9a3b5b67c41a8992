"""The tables of a cohort: what became of every case, and what it took."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from stainbridge.cohort.folder import CASES, CohortFolder
from stainbridge.cohort.task import Finished
from stainbridge.whole import whole_file

#: What became of every case: the same bytes on every run.
TABLE = "cohort.csv"
#: What every case took: other numbers on every run.
TIMINGS = "timings.csv"
#: Numbers of a result, in the table's order.
FACTS = (
    "predicted_rtre",
    "predicted_um",
    "bound_rtre",
    "landmarks_rtre",
    "landmarks_max_rtre",
    "rotation_deg",
    "flip",
    "scale",
    "through",
    "loop_rtre",
)
COLUMNS = ("case", "status", "failure", "reason", *FACTS, "notes", "result")
TIMING_COLUMNS = ("case", "seconds", "cpu_s", "peak_mb", "attempts", "host")


def write_table(folder: CohortFolder, cases: Iterable[str]) -> None:
    """Write a row for every case that has ended, in the order of `cases`."""
    finished = (item for case in cases if (item := folder.read_finished(case)))
    _write_csv(folder.path / TABLE, COLUMNS, map(make_row, finished))


def write_timings(folder: CohortFolder, cases: Iterable[str]) -> None:
    """Write what every case that has ended took."""
    _write_csv(folder.path / TIMINGS, TIMING_COLUMNS, _list_timings(folder, cases))


def make_row(finished: Finished) -> dict[str, Any]:
    """Return the row of a case by column."""
    facts = {name: _format_value(finished.facts.get(name)) for name in FACTS}
    return {
        "case": finished.id,
        "status": finished.status,
        "failure": finished.kind,
        "reason": finished.reason,
        **facts,
        "notes": "; ".join(finished.notes),
        "result": f"{CASES}/{finished.id}",
    }


def _list_timings(folder: CohortFolder, cases: Iterable[str]) -> Iterator[Mapping[str, Any]]:
    for case in cases:
        if times := folder.read_times(case):
            yield {
                "case": case,
                "seconds": f"{times.seconds:.2f}",
                "cpu_s": f"{times.cpu_s:.2f}",
                "peak_mb": f"{times.peak_mb:.0f}",
                "attempts": times.attempts,
                "host": times.host,
            }


def _format_value(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _write_csv(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    with (
        whole_file(path) as temporary,
        temporary.open("w", newline="", encoding="utf-8") as file,
    ):
        table = csv.DictWriter(file, columns, lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
