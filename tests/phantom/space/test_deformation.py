"""Placement and elastic deformation."""

from __future__ import annotations

import numpy as np
import pytest

from stainbridge.errors import InputError
from stainbridge.geometry.field import jacobian_determinant
from stainbridge.geometry.frame import Space
from stainbridge.phantom.space.deformation import (
    MAX_ELASTIC_GRADIENT,
    DeformationConfig,
    build_tissue_from_slide,
    compute_gradient_bound,
    sample_elastic_field,
)

SLIDE = Space("slide", 400, 500, (4.0, 4.0)).frame
TISSUE = Space("tissue", 400, 400, (4.0, 4.0)).frame


@pytest.mark.parametrize("elastic_um", [5.0, 60.0, 5000.0])
def test_elastic_deformation_is_one_to_one_however_strong(elastic_um: float) -> None:
    field = sample_elastic_field(DeformationConfig(elastic_um=elastic_um), TISSUE, seed=4)
    bound = compute_gradient_bound(field.displacement, field.grid.mpp[0])
    assert bound < MAX_ELASTIC_GRADIENT + 1e-3
    assert jacobian_determinant(field.displacement, field.grid.mpp).min() > 0.2


def test_a_deformation_and_its_inverse_cancel() -> None:
    config = DeformationConfig(
        rotation_deg=70, flip=True, scale=1.2, shear=0.1, shift=(0.1, 0.0), elastic_um=20
    )
    tissue_from_slide = build_tissue_from_slide(config, TISSUE, SLIDE, seed=1)
    points = SLIDE.fit(20).centres_um()
    returned = tissue_from_slide.inverse()(tissue_from_slide(points))
    np.testing.assert_allclose(returned, points, atol=0.05)


@pytest.mark.parametrize("fields", [{"scale": 0}, {"elastic_um": -1}])
def test_impossible_deformations_are_refused(fields: dict[str, float]) -> None:
    with pytest.raises(InputError):
        DeformationConfig(**fields)  # type: ignore[arg-type]
