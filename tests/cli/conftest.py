from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from stainbridge.cli import progress
from stainbridge.geometry.frame import Frame, Space
from stainbridge.geometry.transform import Affine
from stainbridge.registration.result import Registration


@dataclass(frozen=True)
class KnownResult:
    """A result folder made by hand.

    The moving slide is the fixed one rotated by a quarter turn and twice as large.
    """

    folder: Path
    fixed: Path
    moving: Path
    registration: Registration

    def moving_from_fixed_px(self, points_px: np.ndarray) -> np.ndarray:
        return np.column_stack([200 - 2 * points_px[:, 1], 2 * points_px[:, 0]])


FIXED_PIXELS = np.random.default_rng(0).integers(0, 255, (100, 140, 3), np.uint8)


QUARTER_TURN = np.array([[0, -2, 200], [2, 0, 0], [0, 0, 1.0]])


def quarter_turn_registration(
    fixed: Frame, moving: Frame, matrix: np.ndarray = QUARTER_TURN
) -> Registration:
    return Registration(
        fixed=fixed,
        moving=moving,
        status="ok",
        reason="",
        stages=(),
        seconds=0.0,
        predicted_rtre=0.0,
        seed=0,
        config={},
        solution=Affine(matrix, fixed.space, moving.space),
    )


@pytest.fixture(autouse=True)
def _no_progress_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out lines that come only where the machine is slow."""
    monkeypatch.setattr(progress, "FIRST_LINE_S", 3600.0)


@pytest.fixture
def known(tmp_path: Path) -> KnownResult:
    fixed, moving, folder = tmp_path / "he.png", tmp_path / "ki67.png", tmp_path / "result"
    PIL.Image.fromarray(FIXED_PIXELS).save(fixed)
    PIL.Image.fromarray(np.rot90(FIXED_PIXELS, -1).repeat(2, axis=0).repeat(2, axis=1)).save(moving)
    registration = quarter_turn_registration(
        Space(fixed.name, 100, 140, calibrated=False).frame,
        Space(moving.name, 280, 200, calibrated=False).frame,
    )
    registration.save(folder, fixed, moving)
    return KnownResult(folder, fixed, moving, registration)
