"""Read the real pairs and draw their hard starts, for benchmarks that look inside the stages.

Pairs, starts and errors are those of benchmarks/registration.py.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stainbridge.datasets.layouts import DataSet, read_data_set
from stainbridge.evaluate.starts import draw_hard_start, list_starts
from stainbridge.geometry.transform import Transform
from stainbridge.slides.slide import Slide
from stainbridge.types import Points

#: The data sets of sections.
SECTIONS = ("rat_kidney", "lung_lesion_1", "lung_lesion_3")
#: Hard starts of a pair: twelve angles spread over 360°, each with and without a flip.
HARD_STARTS = 24


@dataclass(frozen=True, eq=False)
class LandmarkPair:
    """Two open slides with corresponding landmarks."""

    name: str
    """The name of the pair."""
    fixed: Slide
    """The fixed slide."""
    moving: Slide
    """The moving slide."""
    fixed_px: Points
    """(N, 2) landmarks in full-resolution pixels of the fixed slide."""
    moving_px: Points
    """(N, 2) the same in pixels of the moving slide."""
    data_set: str = ""
    """The data set, from which hard starts are drawn."""

    def reverse(self) -> LandmarkPair:
        """Return the pair with fixed and moving exchanged."""
        return replace(
            self,
            name=f"{self.name} reversed",
            fixed=self.moving,
            moving=self.fixed,
            fixed_px=self.moving_px,
            moving_px=self.fixed_px,
        )


def read_sets(names: Iterable[str]) -> list[DataSet]:
    if "STAINBRIDGE_DATA" not in os.environ:
        raise SystemExit("set STAINBRIDGE_DATA to the folder of the real pairs")
    root = Path(os.environ["STAINBRIDGE_DATA"])
    return [read_data_set(root / name / "pairs.csv") for name in names]


def open_pairs(names: Iterable[str], both_directions: bool) -> Iterator[LandmarkPair]:
    for data_set in read_sets(names):
        for case in data_set.cases:
            assert case.landmarks is not None
            pair = LandmarkPair(
                case.id, case.open_fixed(), case.open_moving(), *case.landmarks, data_set.name
            )
            yield pair
            if both_directions:
                yield pair.reverse()


def draw_hard_starts(pair: LandmarkPair, seed: int, every: int = 1) -> Iterator[LandmarkPair]:
    for start in list_starts(("hard",), HARD_STARTS, seed, every):
        case = f"{pair.data_set}/{pair.name}"
        moving, points_px, inside = draw_hard_start(pair.moving, pair.moving_px, start, case)
        name = f"{pair.name} {moving.info.path}"
        yield replace(
            pair, name=name, moving=moving, fixed_px=pair.fixed_px[inside], moving_px=points_px
        )


def relative_errors(pair: LandmarkPair, transform: Transform) -> npt.NDArray[np.float64]:
    """Return the rTRE of each landmark, (N,): its error on the fixed slide ÷ its diagonal."""
    warped_um = transform.inverse()(pair.moving.frame.to_um(pair.moving_px))
    errors_um = np.linalg.norm(warped_um - pair.fixed.frame.to_um(pair.fixed_px), axis=1)
    return np.asarray(errors_um / pair.fixed.frame.diagonal_um)
