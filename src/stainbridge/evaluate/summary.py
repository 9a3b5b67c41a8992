"""Summarise the rows of many runs: one line a method."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from stainbridge.evaluate.row import Row
from stainbridge.metrics.landmarks import (
    AnhirScores,
    CaseErrors,
    acrobat_scores,
    anhir_scores,
    average_ranks,
)


@dataclass(frozen=True)
class MethodSummary:
    """One method over all runs of one kind of start that have landmarks, in ANHIR's terms."""

    method: str
    """The name of the method."""
    kind: str
    """The kind of start: `given` or `hard`."""
    scores: AnhirScores
    """ANHIR's scores over the runs."""
    success: float
    """Share of runs with a median rTRE below 0.01."""
    rank: float | None
    """Average rank among the methods on the runs that all of them made; None without such."""
    p90_um: float | None
    """ACROBAT's score in µm, the median over runs of the 90th percentile.

    None where some fixed slide has no pixel size.
    """
    seconds: float | None
    """Median wall time of the registrations that ended."""
    longest_s: float | None
    """Longest wall time of a registration."""
    cpu_s: float | None
    """Median processor time of the registrations that ended."""
    peak_mb: float | None
    """Largest memory in MiB."""
    folded: int
    """How many transforms fold somewhere."""
    fallback: int
    """How many results the method itself doubts."""
    worst_ok: float | None
    """The largest median rTRE of the results that it does not doubt; None without such."""


def summarise(rows: Sequence[Row]) -> list[MethodSummary]:
    """Return a summary for each kind of start and method, in the order of the rows."""
    scored = select_scored_rows(rows)
    summaries: list[MethodSummary] = []
    for kind in _unique(row.kind for row in scored):
        of_kind = [row for row in scored if row.kind == kind]
        ranks = _average_ranks(of_kind)
        for method in _unique(row.method for row in of_kind):
            own = [row for row in of_kind if row.method == method]
            summaries.append(_summarise_method(method, kind, own, ranks.get(method)))
    return summaries


def select_scored_rows(rows: Sequence[Row]) -> list[Row]:
    """Return the rows whose landmarks are known.

    A run that crashed before it read its landmarks takes them from another method's run of the
    same start, so that it counts as unregistered.
    """
    known = {row.key[:3]: row for row in rows if row.before is not None}
    scored: list[Row] = []
    for row in rows:
        other = known.get(row.key[:3])
        if row.before is None and other is not None:
            row = replace(
                row, before=other.before, landmarks=other.landmarks, diagonal_um=other.diagonal_um
            )
        if row.before is not None:
            scored.append(row)
    return scored


def _summarise_method(
    method: str, kind: str, rows: Sequence[Row], rank: float | None
) -> MethodSummary:
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


def _average_ranks(rows: Sequence[Row]) -> dict[str, float]:
    """Return ANHIR's average ranks on the runs that every method made."""
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


def _unique(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))
