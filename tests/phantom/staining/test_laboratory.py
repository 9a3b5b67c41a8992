"""How laboratories and scanners render dyes."""

from __future__ import annotations

import numpy as np
import pytest

from stainbridge.errors import InputError
from stainbridge.phantom.staining.laboratory import (
    REFERENCE,
    Laboratory,
    compute_densities,
    transmit_light,
)
from stainbridge.phantom.staining.library import STAINS


def test_beer_lambert_multiplies_light() -> None:
    density = compute_densities(STAINS["HE"], REFERENCE)
    single, double = (np.full((1, 1, 3), amount, np.float32) for amount in (0.3, 0.6))
    np.testing.assert_allclose(
        transmit_light(single, density) ** 2, transmit_light(double, density), rtol=1e-5
    )
    np.testing.assert_allclose(transmit_light(0 * single, density), 1)


def test_laboratories_differ() -> None:
    first, second = (Laboratory.sample(np.random.default_rng(n), 1.0) for n in (1, 2))
    assert first != second
    assert Laboratory.sample(np.random.default_rng(1), 0.0).strength == (1, 1, 1)
    with pytest.raises(InputError):
        Laboratory(strength=(1.0, 0.0, 1.0))
