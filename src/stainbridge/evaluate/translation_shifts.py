"""What a score means: that of the real target against itself, shifted by some pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from stainbridge.errors import InputError
from stainbridge.evaluate.translation import (
    NO_DISTANCES,
    Distances,
    MeanScores,
    TranslationScores,
    average_scores,
    score_translation,
)
from stainbridge.types import Pixels

#: The shifts in pixels.
SHIFTS_PX = (0, 1, 2, 4, 8, 16)
#: Shortest side of a tile in pixels: what all shifts share must still be compared.
SHORTEST_PX = max(SHIFTS_PX) + 16
#: Measures that fall with the shift; the others rise.
FALLING = ("psnr_db", "ssim_uniform7", "ssim_gaussian11", "dab_dice")


@dataclass(frozen=True)
class ShiftScores:
    """The mean scores of real targets against themselves, shifted."""

    shift_px: int
    """The shift in pixels."""
    scores: TranslationScores
    """Means over targets, and over shifts to the right and down."""


@dataclass
class ShiftCurve:
    """Collects the scores of shifted targets; pixels are not kept."""

    distances: Distances = field(default_factory=lambda: NO_DISTANCES)
    """Further distances."""
    _scores: dict[int, list[TranslationScores]] = field(
        default_factory=lambda: {shift: [] for shift in SHIFTS_PX}
    )

    def add(self, target: Pixels, where: str) -> None:
        """Score a target (C, H, W) against itself at every shift.

        All shifts compare as many pixels. Raises `InputError` for a target that is too small.
        """
        height, width = (side - max(SHIFTS_PX) for side in target.shape[1:])
        if min(target.shape[1:]) < SHORTEST_PX:
            raise InputError(
                "the tile is too small to shift",
                where=where,
                expected=f"{SHORTEST_PX} px or more",
                got=min(target.shape[1:]),
                remedy="leave out --shifts",
            )
        real = target[:, :height, :width]
        for shift, scores in self._scores.items():
            right = target[:, :height, shift : shift + width]
            down = target[:, shift : shift + height, :width]
            scores += [
                score_translation(real, moved, where, self.distances) for moved in (right, down)
            ]

    def means(self) -> tuple[ShiftScores, ...]:
        """Return the mean scores at each shift."""
        return tuple(
            ShiftScores(shift, average_scores(scores)) for shift, scores in self._scores.items()
        )


def find_equal_shift(curve: Sequence[ShiftScores], measure: str, value: float) -> float:
    """Return the shift in pixels at which the target scores `value`, between two shifts linearly.

    The result is infinite where even the largest shift scores better, and nan where the value is
    not known.
    """
    sign = -1.0 if measure in FALLING else 1.0
    errors = np.array([sign * getattr(point.scores, measure) for point in curve])
    shifts = np.array([point.shift_px for point in curve], np.float64)
    known = np.isfinite(errors)
    if np.isnan(value) or not known.any():
        return float("nan")
    errors = np.maximum.accumulate(errors[known])
    if sign * value > errors[-1]:
        return float("inf")
    return float(np.interp(sign * value, errors, shifts[known]))


def find_equal_shifts(
    curve: Sequence[ShiftScores], means: Sequence[MeanScores], measures: Sequence[str]
) -> dict[str, dict[str, float]]:
    """Return the shift that scores like each model, by model and measure."""
    return {
        line.model: {
            measure: find_equal_shift(curve, measure, getattr(line.scores, measure))
            for measure in measures
        }
        for line in means
    }
