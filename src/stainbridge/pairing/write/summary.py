"""Count the patches of a set, by what its card and its page show."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np

from stainbridge.pairing.config import THRESHOLD_ORDER, Thresholds
from stainbridge.pairing.patch import Patch
from stainbridge.pairing.source import Split

#: Quantiles of the residual that are shown.
QUANTILES = (0.5, 0.75, 0.9, 0.95, 0.99, 1.0)


@dataclass(frozen=True)
class SkippedPair:
    """A slide pair that gave no patches."""

    id: str
    """Its id."""
    reason: str
    """Why it was skipped, in one line."""


@dataclass(frozen=True)
class Count:
    """How many patches of one kind there are."""

    name: str
    """What they have in common."""
    patients: int
    """Patients with a patch."""
    pairs: int
    """Slide pairs with a patch."""
    kept: int
    """Patches in the set."""
    dropped: int
    """Patches that miss a threshold."""
    residual_px: float
    """Median residual of the kept patches; nan without any."""


@dataclass(frozen=True)
class ThresholdCount:
    """What one threshold drops."""

    name: str
    """The field of `Thresholds`."""
    limit: float
    """Its value."""
    dropped: int
    """Patches that miss it first, in the order the thresholds are asked."""
    unmet: int
    """Patches that miss it, whatever else they miss."""


@dataclass(frozen=True)
class ResidualQuantile:
    """A quantile of the estimated residual of the kept patches."""

    share: float
    """Which quantile, 0 to 1."""
    px: float
    """Its value in pixels of the patches."""
    um: float
    """Its value in µm; nan without a pixel size."""


@dataclass(frozen=True)
class SetSummary:
    """All counts of a set."""

    total: Count
    """Of all patches."""
    splits: tuple[Count, ...]
    """By split: train, val, test, as far as they exist."""
    labels: tuple[Count, ...]
    """By label, in order of the labels."""
    statuses: tuple[Count, ...]
    """By the verdict of the registration."""
    pairs: tuple[Count, ...]
    """By slide pair."""
    thresholds: tuple[ThresholdCount, ...]
    """By threshold, in the order they are asked."""
    residuals: tuple[ResidualQuantile, ...]
    """Quantiles of the residual of kept patches."""


def summarise(patches: Sequence[Patch], thresholds: Thresholds) -> SetSummary:
    """Count the patches of a set."""
    order = {name: place for place, name in enumerate(get_args(Split))}
    return SetSummary(
        total=_count("all", patches),
        splits=tuple(
            sorted(
                _count_by(patches, lambda patch: patch.split),
                key=lambda count: order[count.name],
            )
        ),
        labels=_count_by(patches, lambda patch: patch.label),
        statuses=_count_by(patches, lambda patch: patch.status),
        pairs=_count_by(patches, lambda patch: patch.pair),
        thresholds=tuple(_count_unmet(patches, name, thresholds) for name in THRESHOLD_ORDER),
        residuals=_measure_quantiles(patches),
    )


def _count_by(patches: Sequence[Patch], read: Callable[[Patch], str]) -> tuple[Count, ...]:
    """Return a count for each value of `read`, in the values' order."""
    groups: dict[str, list[Patch]] = {}
    for patch in patches:
        groups.setdefault(read(patch), []).append(patch)
    return tuple(_count(name, groups[name]) for name in sorted(groups))


def _count(name: str, patches: Sequence[Patch]) -> Count:
    residuals_px = [patch.scores.residual_px for patch in patches if patch.is_kept]
    return Count(
        name=name,
        patients=len({patch.patient for patch in patches}),
        pairs=len({patch.pair for patch in patches}),
        kept=len(residuals_px),
        dropped=len(patches) - len(residuals_px),
        residual_px=float(np.median(residuals_px)) if residuals_px else math.nan,
    )


def _count_unmet(patches: Sequence[Patch], name: str, thresholds: Thresholds) -> ThresholdCount:
    return ThresholdCount(
        name=name,
        limit=getattr(thresholds, name),
        dropped=sum(patch.dropped_for == name for patch in patches),
        unmet=sum(not thresholds.is_met(name, patch.scores) for patch in patches),
    )


def _measure_quantiles(patches: Sequence[Patch]) -> tuple[ResidualQuantile, ...]:
    kept = [patch for patch in patches if patch.is_kept]
    if not kept:
        return ()
    px = np.quantile([patch.scores.residual_px for patch in kept], QUANTILES).tolist()
    um = np.quantile([patch.residual_um for patch in kept], QUANTILES).tolist()
    return tuple(
        ResidualQuantile(share, share_px, share_um)
        for share, share_px, share_um in zip(QUANTILES, px, um, strict=True)
    )
