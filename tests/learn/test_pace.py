from __future__ import annotations

import pytest

from stainbridge.learn.checkpoint import Checkpoint
from stainbridge.learn.pace import PACE_STEPS, Pace, describe_step, format_duration


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, which tests set."""
    now = [100.0]
    monkeypatch.setattr("stainbridge.learn.pace.time.monotonic", lambda: now[0])
    return now


def test_the_pace_is_that_of_the_last_steps(clock: list[float]) -> None:
    pace = Pace()
    for _ in range(10):
        clock[0] += 60
        pace.add_step()
    assert pace.steps_per_s == pytest.approx(1 / 60)
    for _ in range(PACE_STEPS):
        clock[0] += 0.5
        pace.add_step()
    assert pace.steps_per_s == pytest.approx(2)


def test_a_step_is_described_with_all_its_numbers(clock: list[float]) -> None:
    pace = Pace()
    clock[0] += 4
    pace.add_step()
    numbers = {"generator": 0.25, "critic": 1234.5678}
    text = describe_step(Checkpoint(step=1), 61, numbers, pace)
    assert text == "step 1 of 61, generator 0.25, critic 1235, 4 s a step, 4 min left"
    clock[0] += 0.1
    done = describe_step(Checkpoint(step=61, best=0.5), 61, {"generator": 1.0}, pace)
    assert done == "step 61 of 61, generator 1, best 0.5, 4 s a step"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (99, "99 s"),
        (100, "2 min"),
        (5900, "98 min"),
        (7260, "2 h 1 min"),
        (259200, "3 d 0 h"),
    ],
)
def test_durations_have_two_units_at_most(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text
