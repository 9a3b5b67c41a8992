from __future__ import annotations

import numpy as np
import pytest

from stainbridge.geometry.frame import Frame, Space
from stainbridge.phantom.space.randomness import derive_key, hash_uniform, sample_noise

FRAME = Frame(Space("plane", 300, 280, (2.0, 2.0)), 300, 280, (2.0, 2.0), (-130.0, 4000.0))


def test_hashes_are_uniform_and_depend_on_every_coordinate() -> None:
    x, y = np.arange(-200, 200)[None, :], np.arange(300)[:, None]
    numbers = hash_uniform(x, y, derive_key(1, "a"))
    assert np.abs(np.histogram(numbers, 10, (0, 1))[0] / numbers.size - 0.1).max() < 0.005
    for neighbour in (
        hash_uniform(x + 1, y, derive_key(1, "a")),
        hash_uniform(x, y + 1, derive_key(1, "a")),
        hash_uniform(x, y, derive_key(1, "b")),
    ):
        assert abs(np.corrcoef(numbers.ravel(), neighbour.ravel())[0, 1]) < 0.02


@pytest.mark.parametrize("z_um", [None, 0.0, 7.3])
def test_noise_has_mean_0_and_deviation_1(z_um: float | None) -> None:
    noise = sample_noise(FRAME, 7.0, derive_key(3, "n"), z_um)
    assert abs(noise.mean()) < 0.08
    assert noise.std() == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize("scale_um", [3.0, 40.0])
def test_noise_depends_on_place_not_on_the_frame(scale_um: float) -> None:
    whole = sample_noise(FRAME, scale_um, 17, 2.0)
    part = sample_noise(FRAME.crop(31, 57, 90, 80), scale_um, 17, 2.0)
    np.testing.assert_allclose(part, whole[57:137, 31:121], atol=1e-5)


def test_noise_changes_slowly_with_depth() -> None:
    first, close, distant = (sample_noise(FRAME, 20.0, 5, z).ravel() for z in (0.0, 2.0, 100.0))
    assert np.corrcoef(first, close)[0, 1] > 0.95
    assert abs(np.corrcoef(first, distant)[0, 1]) < 0.3
