"""Summarise rows: mean and standard deviation of each score over the cases of a data set."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from stainbridge.evaluate.slices.row import SliceRow
from stainbridge.evaluate.slices.scores import MASK

#: The line of the slices as given, where no method is.
GIVEN = "as given"
#: The method that is the slices as given.
IDENTITY = "identity"
#: The name of the mean over labels among the labels.
MEAN = "mean"
#: Scores of a label; the first words of their names.
LABEL_SCORES = ("dice", "hd95", "surface")


@dataclass(frozen=True)
class ScoreSummary:
    """A score over cases; a missing result counts as before."""

    cases: int
    """How many cases have it."""
    mean: float
    """Its mean."""
    sd: float
    """Its standard deviation over cases, of a sample; 0 for one case."""
    before: float
    """Its mean over the slices as given."""


@dataclass(frozen=True)
class SliceSummary:
    """One method over the cases of a data set."""

    data_set: str
    """The name of the data set."""
    method: str
    """The name of the method."""
    cases: int
    """How many cases."""
    failed: int
    """How many have no result; they count as before."""
    fallback: int
    """How many results the method itself doubts."""
    unit: str
    """Unit of surface distances."""
    scores: dict[str, ScoreSummary]
    """Scores by name; `dice mean` and so on are means over a case's labels."""
    folded: float
    """Mean share of the tissue where the transform folds."""
    seconds: float
    """Median wall time."""
    cpu_s: float
    """Median processor time."""


def summarise_slices(rows: Sequence[SliceRow]) -> list[SliceSummary]:
    """Return a summary for each data set and method, in the order of the rows."""
    return [
        _summarise([row for row in rows if (row.data_set, row.method) == key])
        for key in dict.fromkeys((row.data_set, row.method) for row in rows)
    ]


def list_labels(names: Iterable[str]) -> list[str]:
    """Return the labels among names of scores, without the mask and the mean."""
    labels = {name.partition(" ")[2] for name in names if name.startswith("dice ")}
    return sorted(labels - {MASK, MEAN}, key=lambda label: (len(label), label))


def _summarise(rows: Sequence[SliceRow]) -> SliceSummary:
    values: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        for name, pair in _counted_scores(row).items():
            values.setdefault(name, []).append(pair)
    return SliceSummary(
        data_set=rows[0].data_set,
        method=rows[0].method,
        cases=len(rows),
        failed=sum(row.status == "failed" for row in rows),
        fallback=sum(row.status == "fallback" for row in rows),
        unit=rows[0].unit,
        scores={name: _summarise_score(values[name]) for name in sorted(values)},
        folded=float(np.mean([row.folded or 0.0 for row in rows])),
        seconds=float(np.median([row.seconds for row in rows])),
        cpu_s=float(np.median([row.cpu_s for row in rows])),
    )


def _counted_scores(row: SliceRow) -> dict[str, tuple[float, float]]:
    """Return (before, counted) by name, with means over the labels of the case."""
    scores = {name: (score.before, score.counted) for name, score in row.scores.items()}
    labels = list_labels(scores)
    for kind in LABEL_SCORES if labels else ():
        pairs = [scores[f"{kind} {label}"] for label in labels]
        before, counted = np.mean(pairs, axis=0).tolist()
        scores[f"{kind} {MEAN}"] = (before, counted)
    return scores


def _summarise_score(pairs: Sequence[tuple[float, float]]) -> ScoreSummary:
    before, counted = np.array(pairs).T
    sd = float(counted.std(ddof=1)) if len(counted) > 1 else 0.0
    return ScoreSummary(len(pairs), float(counted.mean()), sd, float(before.mean()))
