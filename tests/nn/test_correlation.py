"""Features found again, and what is made of it."""

from __future__ import annotations

import numpy as np
import torch

from stainbridge.geometry.flow import affine_displacement
from stainbridge.nn.correlation import affine_fit, correlations, matches, smoothed, window_correlations


def features(seed: int = 0) -> torch.Tensor:
    return torch.randn(1, 6, 9, 9, generator=torch.Generator().manual_seed(seed))


def test_features_correlate_best_at_the_distance_they_moved() -> None:
    here = features()
    there = torch.roll(here, (1, -2), (2, 3))  # one down, two to the left
    found = correlations(here, there, 2)
    assert found.shape == (1, 25, 9, 9)
    best = found[0, :, 3:6, 3:6].flatten(1).argmax(0)
    assert (best == (1 + 2) * 5 + (-2 + 2)).all()
    assert torch.allclose(found[0, 15, 3:6, 3:6], torch.ones(3, 3), atol=1e-5)


def test_a_match_is_where_features_went() -> None:
    there = torch.roll(features(), (1, -2), (2, 3))
    found = matches(correlations(features(), there, 2), torch.tensor(40.0))
    middle = found[0, :, 3:6, 3:6].mean((1, 2))
    assert torch.allclose(middle, torch.tensor([-2.0, 1.0]), atol=0.1)
    nothing = matches(correlations(features(), torch.zeros(1, 6, 9, 9), 2), torch.tensor(40.0))
    assert nothing.abs().max() < 1e-4


def test_windows_correlate_as_numpy_says_and_best_where_they_went() -> None:
    here = torch.rand(2, 1, 20, 24, generator=torch.Generator().manual_seed(0))
    there = 0.3 + 0.5 * torch.roll(here, (2, -1), (2, 3))  # another contrast, two down, one to the left
    found = window_correlations(here, there, 2, 3)
    assert found.shape == (2, 25, 20, 24)
    windows = [picture[1, 0, 7:14, 9:16].numpy().ravel() for picture in (here, torch.roll(there, (-1, -2), (2, 3)))]
    assert abs(float(found[1, (1 + 2) * 5 + (2 + 2), 10, 12]) - np.corrcoef(*windows)[0, 1]) < 0.03  # the noise floor
    assert (found[:, :, 6:14, 6:18].argmax(1) == (2 + 2) * 5 + (-1 + 2)).all()
    assert window_correlations(torch.ones(1, 1, 9, 9), here[:1, :, :9, :9], 2, 3).abs().max() < 1e-3


def test_an_affine_map_is_fitted_where_matches_are_trusted() -> None:
    matrix = torch.tensor([[[1.05, 0.1, 0.03], [-0.08, 0.97, -0.06]]])
    displacement, weight = affine_displacement(matrix, 32, 40), torch.ones(1, 1, 32, 40)
    displacement[..., :6], weight[..., :6] = 50.0, 0.0
    found = affine_fit(displacement, weight, 20.0) + torch.eye(2, 3)
    assert torch.allclose(found, matrix, atol=2e-3)
    assert torch.equal(affine_fit(displacement, 0 * weight, 20.0), torch.zeros(1, 2, 3))


def test_neighbours_are_asked_as_they_are_trusted() -> None:
    field, weight = torch.zeros(1, 2, 9, 9), torch.ones(1, 1, 9, 9)
    field[..., 4, 4] = 25.0
    assert torch.allclose(smoothed(field, weight)[..., 4, 4], torch.ones(1, 2))
    weight[..., 4, 4] = 0.0
    assert smoothed(field, weight).abs().max() < 1e-5
