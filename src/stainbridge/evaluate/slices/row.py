"""The row of one method on one case, and tables of rows."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from stainbridge.errors import InputError
from stainbridge.whole import whole_file

#: The columns before the scores.
COLUMNS = ("data_set", "case", "method", "status", "seconds", "cpu_s", "folded", "unit", "reason")
#: What ends the names of the two columns of a score.
BEFORE = " before"
AFTER = " after"


class BeforeAfter(NamedTuple):
    """A score of the slices as given, and of the result."""

    before: float
    """As given."""
    after: float | None
    """Of the result; None where there is none."""

    @property
    def counted(self) -> float:
        """The score that counts: a missing result counts as before."""
        return self.before if self.after is None else self.after


@dataclass(frozen=True)
class SliceRow:
    """One method on one case."""

    data_set: str
    """The name of the data set."""
    case: str
    """The id of the case."""
    method: str
    """The name of the method."""
    status: str
    """`ok`, `fallback` for a result that the method itself doubts, or `failed`."""
    seconds: float
    """Wall time of the registration."""
    cpu_s: float
    """Processor time of the registration, all threads together."""
    folded: float | None
    """Share of the fixed tissue where the transform folds; None where there is no result."""
    unit: str
    """Unit of surface distances: `µm`, or `px` of the fixed slide."""
    scores: Mapping[str, BeforeAfter]
    """Scores by name; see `scores.score_transform`."""
    reason: str = ""
    """Why it is not `ok`, in one line."""

    @property
    def key(self) -> tuple[str, str, str]:
        """What tells rows apart."""
        return self.data_set, self.case, self.method


def write_rows(path: Path, rows: Sequence[SliceRow]) -> None:
    """Write rows as CSV, whole or not at all: each score before and after in two columns."""
    names = sorted({name for row in rows for name in row.scores})
    scores = [f"{name}{when}" for name in names for when in (BEFORE, AFTER)]
    with whole_file(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, (*COLUMNS, *scores), restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(_format_row(row) for row in rows)


def _format_row(row: SliceRow) -> dict[str, str]:
    line = {
        "data_set": row.data_set,
        "case": row.case,
        "method": row.method,
        "status": row.status,
        "seconds": f"{row.seconds:.3f}",
        "cpu_s": f"{row.cpu_s:.3f}",
        "folded": _format_number(row.folded),
        "unit": row.unit,
        "reason": row.reason,
    }
    for name, score in row.scores.items():
        line[f"{name}{BEFORE}"] = _format_number(score.before)
        line[f"{name}{AFTER}"] = _format_number(score.after)
    return line


def _format_number(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


def read_rows(path: Path) -> list[SliceRow]:
    """Read the rows of a CSV; none where there is no file.

    Raises `InputError` for a damaged one.
    """
    if not path.is_file():
        return []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return [_parse_row(line) for line in csv.DictReader(file)]
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise InputError("not rows of evaluate slices", where=path, got=error) from error


def _parse_row(line: Mapping[str, str]) -> SliceRow:
    names = [column.removesuffix(BEFORE) for column in line if column.endswith(BEFORE)]
    scores = {
        name: BeforeAfter(float(line[f"{name}{BEFORE}"]), _parse_number(line[f"{name}{AFTER}"]))
        for name in names
        if line[f"{name}{BEFORE}"]
    }
    return SliceRow(
        data_set=line["data_set"],
        case=line["case"],
        method=line["method"],
        status=line["status"],
        seconds=float(line["seconds"]),
        cpu_s=float(line["cpu_s"]),
        folded=_parse_number(line["folded"]),
        unit=line["unit"],
        scores=scores,
        reason=line["reason"],
    )


def _parse_number(text: str) -> float | None:
    return float(text) if text else None
