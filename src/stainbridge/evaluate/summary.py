"""Rows of many runs as one line a method."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from stainbridge.evaluate.job import Row
from stainbridge.metrics.landmarks import (
    AnhirScores,
    CaseErrors,
    acrobat_scores,
    anhir_scores,
    average_ranks,
)


@dataclass(frozen=True)
class MethodSummary:
    """One method over all runs of one kind of start that have landmarks, in ANHIR's terms.

    `success`: share with a median rTRE below 0.01; `rank`: average rank among the methods on the
    runs all of them made, None where there are none; `p90_um`: ACROBAT's score, the median over
    runs of the 90th percentile, None where some fixed slide has no pixel size; `seconds`, `cpu_s`:
    medians of the registrations that ended; `peak_mb`: the largest. `fallback`: results the method
    itself has doubts about; `worst_ok`: the largest median rTRE among the others, None where there
    are none.
    """

    method: str
    kind: str
    scores: AnhirScores
    success: float
    rank: float | None
    p90_um: float | None
    seconds: float | None
    longest_s: float | None
    cpu_s: float | None
    peak_mb: float | None
    folded: int
    fallback: int
    worst_ok: float | None


def summarise(rows: Sequence[Row]) -> list[MethodSummary]:
    """A summary for each kind of start and method, in the order of the rows."""
    known = scored(rows)
    return [
        _summary(method, kind, [row for row in of_kind if row.method == method], ranks.get(method))
        for kind in _in_order(row.kind for row in known)
        for of_kind in [[row for row in known if row.kind == kind]]
        for ranks in [_ranks(of_kind)]
        for method in _in_order(row.method for row in of_kind)
    ]


def scored(rows: Sequence[Row]) -> list[Row]:
    """Those whose landmarks are known.

    A run that died before it got that far has them from another method's run of the same start, so
    that it counts as unregistered there, too.
    """
    known = {row.key[:3]: row for row in rows if row.before is not None}
    found = []
    for row in rows:
        other = known.get(row.key[:3])
        if row.before is None and other is not None:
            row = replace(
                row, before=other.before, landmarks=other.landmarks, diagonal_um=other.diagonal_um
            )
        found += [row] if row.before is not None else []
    return found


def _summary(method: str, kind: str, rows: Sequence[Row], rank: float | None) -> MethodSummary:
    seconds = [row.seconds for row in rows if row.seconds is not None]
    cpu_s = [row.cpu_s for row in rows if row.cpu_s is not None]
    memory = [row.peak_mb for row in rows if row.peak_mb is not None]
    images_um = [errors_um for row in rows if (errors_um := row.counted_um) is not None]
    return MethodSummary(
        method,
        kind,
        anhir_scores([errors for row in rows if (errors := row.errors) is not None]),
        success=float(np.mean([row.success for row in rows])),
        rank=rank,
        p90_um=acrobat_scores(images_um).median_p90_um if len(images_um) == len(rows) else None,
        seconds=float(np.median(seconds)) if seconds else None,
        longest_s=max(seconds, default=None),
        cpu_s=float(np.median(cpu_s)) if cpu_s else None,
        peak_mb=max(memory, default=None),
        folded=sum(bool(row.folded) for row in rows),
        fallback=sum(row.status == "fallback" for row in rows),
        worst_ok=max(
            (row.after.median for row in rows if row.status == "ok" and row.after), default=None
        ),
    )


def _ranks(rows: Sequence[Row]) -> dict[str, float]:
    """ANHIR's average ranks on the runs that every method made."""
    by_method: dict[str, dict[tuple[str, ...], CaseErrors]] = {}
    for row in rows:
        if row.errors is not None:
            by_method.setdefault(row.method, {})[row.key[:3]] = row.errors
    common = set.intersection(*(set(runs) for runs in by_method.values())) if by_method else set()
    if not common:
        return {}
    return average_ranks(
        {name: [runs[key] for key in sorted(common)] for name, runs in by_method.items()}
    )


def _in_order(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))
