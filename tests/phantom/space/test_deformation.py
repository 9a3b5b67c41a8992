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
    Drift,
    build_tissue_from_slide,
    compute_gradient_bound,
    sample_drift_field,
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


def test_drift_changes_slowly_with_depth() -> None:
    surface, near, far = (
        sample_drift_field(Drift(depth_um, seed=2, elastic_um=40.0), TISSUE).displacement
        for depth_um in (0.0, 30.0, 900.0)
    )
    amount = np.sqrt(np.mean(surface**2))
    change = np.sqrt(np.mean((near - surface) ** 2))
    assert 0.02 * amount < change < 0.3 * amount
    assert np.sqrt(np.mean((far - surface) ** 2)) > 3 * change


def test_drift_moves_the_tissue_before_all_else() -> None:
    drift = Drift(100.0, seed=3, elastic_um=40.0)
    turned = DeformationConfig(rotation_deg=30, elastic_um=20)
    drifting = DeformationConfig(rotation_deg=30, elastic_um=20, drift=drift)
    points = SLIDE.fit(20).centres_um()
    tissue_points = build_tissue_from_slide(turned, TISSUE, SLIDE, seed=1)(points)
    moved = build_tissue_from_slide(drifting, TISSUE, SLIDE, seed=1)
    expected = sample_drift_field(drift, TISSUE)(tissue_points)
    np.testing.assert_allclose(moved(points), expected, atol=1e-6)
    np.testing.assert_allclose(moved.inverse()(expected), points, atol=0.05)


@pytest.mark.parametrize("fields", [{"scale": 0}, {"elastic_um": -1}])
def test_impossible_deformations_are_refused(fields: dict[str, float]) -> None:
    with pytest.raises(InputError):
        DeformationConfig(**fields)  # type: ignore[arg-type]


def test_impossible_drift_is_refused() -> None:
    with pytest.raises(InputError, match="out of range"):
        Drift(0.0, elastic_um=-1.0)
