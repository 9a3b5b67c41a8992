"""The stage: the better verified of the plain and the tuned field."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Space
from stainbridge.geometry.transform import Affine, DisplacementField
from stainbridge.joint.sar.stage import SarConfig, SarStage

SPACE = Space("fixed", 64, 64)


def make_field(shift_um: float) -> DisplacementField:
    values = np.full((2, 16, 16), shift_um, np.float32)
    return DisplacementField(values, SPACE.frame.fit(16), SPACE, SPACE)


class FakeNetwork:
    """Its field shifts by 1 µm, tuned by 3 µm."""

    def __init__(self, shift_um: float = 1.0) -> None:
        self.shift_um = shift_um

    def register_slides(self, *_: object) -> DisplacementField:
        return make_field(self.shift_um)

    def tune(self, *_: object) -> FakeNetwork:
        return FakeNetwork(3.0)


def make_state(best_shift_um: float) -> Any:
    """Return a state whose score is highest where points are shifted by so much."""

    def measure_score(transform: Any) -> float:
        points = np.array([[32.0, 32.0]])
        return -abs(float((transform(points) - points)[0, 0]) - best_shift_um)

    section = SimpleNamespace(frame=SPACE.frame)
    problem = SimpleNamespace(
        slides=(None, None), masks=(None, None), sections=(section, section),
        measure_score=measure_score,
    )  # fmt: skip
    return SimpleNamespace(problem=problem, placement=Affine(np.eye(3), SPACE, SPACE))


@pytest.mark.parametrize(
    ("tune", "best_shift_um", "expected_um"), [(10, 3.0, 3.0), (10, 1.0, 1.0), (None, 3.0, 1.0)]
)
def test_a_tuned_field_is_taken_only_where_it_verifies_better(
    tune: int | None, best_shift_um: float, expected_um: float
) -> None:
    network: Any = FakeNetwork()
    stage = SarStage(SarConfig(weights="run", tune=tune), network)
    field = stage.find_field(make_state(best_shift_um))
    assert float(field.displacement.mean()) == expected_um


def test_iterations_out_of_range_are_refused() -> None:
    with pytest.raises(InputError, match="expected 10 to 30; got 31"):
        SarConfig(weights="run", tune=31)
