"""An alignment says how sure it is of a patch."""

from __future__ import annotations

import numpy as np
import pytest

from stainbridge.geometry.frame import Space
from stainbridge.pairing.alignment import ErrorMap

FRAME = Space("slide", 400, 300, (0.5, 0.5)).frame


def test_the_error_of_a_patch_is_the_mean_over_it() -> None:
    grid = FRAME.fit(40)
    error_um = np.zeros((30, 40), np.float32)
    error_um[:, 20:] = 6.0
    error = ErrorMap(error_um, grid)
    assert error.measure(FRAME.crop(0, 0, 100, 100)) == 0
    assert error.measure(FRAME.crop(300, 100, 100, 100)) == pytest.approx(6)
    assert error.measure(FRAME.crop(150, 100, 100, 100)) == pytest.approx(3, abs=0.4)


def test_beyond_the_map_the_nearest_error_holds() -> None:
    error = ErrorMap(np.full((3, 4), 2.0, np.float32), FRAME.crop(100, 100, 40, 30))
    assert error.measure(FRAME.crop(0, 0, 50, 50)) == pytest.approx(2)
