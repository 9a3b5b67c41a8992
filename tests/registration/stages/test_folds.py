"""Few folds are mended where they are; many are not hidden."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

from stainbridge.geometry.field import jacobian_determinant
from stainbridge.geometry.frame import Space
from stainbridge.geometry.transform import DisplacementField
from stainbridge.registration.stages.folds import ABOUT, SIGMA, mended

NODES = Space("slide", 64, 64, (8.0, 8.0)).frame
PIXELS = NODES.at_mpp(2.0)


def field_of(displacement: npt.NDArray[np.floating]) -> DisplacementField:
    return DisplacementField(displacement.astype(np.float32), NODES, NODES.space, NODES.space)


def bend() -> npt.NDArray[np.floating]:
    noise = np.random.default_rng(0).normal(size=(2, 64, 64))
    return np.asarray(gaussian_filter(noise, (0, 4, 4))) * 100


def folds(field: DisplacementField) -> npt.NDArray[np.bool_]:
    return np.asarray(jacobian_determinant(field.to_field(PIXELS).displacement, PIXELS.mpp) <= 0)


def test_a_fold_is_mended_where_it_is() -> None:
    steep = bend()
    steep[0, 30, 40] -= 14.0
    field = field_of(steep)
    assert 0 < folds(field).mean() < 0.001
    found = mended(field, PIXELS)
    assert not folds(found).any()
    changed = np.argwhere(np.abs(found.displacement - field.displacement).max(0) > 1e-3)
    assert np.abs(changed - (30, 40)).max() <= ABOUT + 4 * SIGMA + 1


def test_what_does_not_fold_stays_as_it_is() -> None:
    field = field_of(bend())
    assert not folds(field).any()
    assert mended(field, PIXELS) is field


def test_what_folds_in_many_places_stays_as_it_is() -> None:
    field = field_of(10 * bend())
    assert folds(field).mean() > 0.001
    assert mended(field, PIXELS) is field
