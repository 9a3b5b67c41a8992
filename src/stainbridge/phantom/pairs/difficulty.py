"""How far each difficulty goes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Difficulty = Literal["easy", "real", "hard"]


@dataclass(frozen=True)
class DifficultyRanges:
    """± rotation, chance of a mirror image, ± scale, ± shift, ± shear; elasticity; laboratories;
    damage; artefacts.

    `shift` and `elastic` (root mean square) are shares of the slide's side. Chances are from 0 to 1
    and hold for each kind of thing on its own; `damage` (folds, holes) and `artefacts` are the
    chance of each kind on the moving slide, on the fixed one a third of it; `jpeg` is the range of
    qualities, the upper end excluded.
    """

    rotation_deg: float
    flip: float
    scale: float
    shift: float
    shear: float
    elastic: float
    laboratory: float
    faint: float
    distance_um: float
    tear: float
    damage: float
    pieces: float
    artefacts: float
    blur_um: float
    jpeg: tuple[int, int]


DIFFICULTIES: dict[str, DifficultyRanges] = {
    "easy": DifficultyRanges(15, 0.0, 0.02, 0.02, 0.0, 0.006, 0.3, 0.0, 4.0, 0.0, 0.0, 0.0, 0.0, 0.0, (93, 97)),
    "real": DifficultyRanges(
        180, 0.3, 0.05, 0.03, 0.02, 0.024, 0.8, 0.15, 8.0, 0.6, 0.4, 0.25, 0.3, 2.5, (70, 93)
    ),
    "hard": DifficultyRanges(
        180, 0.5, 0.15, 0.05, 0.05, 0.036, 1.3, 0.45, 20.0, 1.0, 0.9, 0.7, 1.0, 6.0, (35, 60)
    ),
}
