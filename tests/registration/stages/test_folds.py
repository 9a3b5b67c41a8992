"""Few folds are repaired where they are; many are not hidden."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

from stainbridge.geometry.field import jacobian_determinant
from stainbridge.geometry.frame import Space
from stainbridge.geometry.transform import DisplacementField
from stainbridge.registration.stages.folds import REACH_NODES, SIGMA_NODES, repair_folds

NODES = Space("slide", 64, 64, (8.0, 8.0)).frame
PIXELS = NODES.at_mpp(2.0)


def field_of(displacement: npt.NDArray[np.floating]) -> DisplacementField:
    return DisplacementField(displacement.astype(np.float32), NODES, NODES.space, NODES.space)


def draw_displacement() -> npt.NDArray[np.floating]:
    noise = np.random.default_rng(0).normal(size=(2, 64, 64))
    return np.asarray(gaussian_filter(noise, (0, 4, 4))) * 100


def find_folds(field: DisplacementField) -> npt.NDArray[np.bool_]:
    return np.asarray(jacobian_determinant(field.to_field(PIXELS).displacement, PIXELS.mpp) <= 0)


def test_a_fold_is_repaired_where_it_is() -> None:
    steep = draw_displacement()
    steep[0, 30, 40] -= 14.0
    field = field_of(steep)
    assert 0 < find_folds(field).mean() < 0.001
    repaired = repair_folds(field, PIXELS)
    assert not find_folds(repaired).any()
    changed = np.argwhere(np.abs(repaired.displacement - field.displacement).max(0) > 1e-3)
    assert np.abs(changed - (30, 40)).max() <= REACH_NODES + 4 * SIGMA_NODES + 1


def test_a_field_without_folds_stays_as_it_is() -> None:
    field = field_of(draw_displacement())
    assert not find_folds(field).any()
    assert repair_folds(field, PIXELS) is field


def test_a_field_that_folds_in_many_places_stays_as_it_is() -> None:
    field = field_of(10 * draw_displacement())
    assert find_folds(field).mean() > 0.001
    assert repair_folds(field, PIXELS) is field
