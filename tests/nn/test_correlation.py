"""Correlations of windows, and the displacements and maps that follow from them."""

from __future__ import annotations

import numpy as np
import torch

from stainbridge.geometry.flow import affine_displacement
from stainbridge.nn.correlation import (
    fit_affine_change,
    match_windows,
    smooth_weighted,
    window_correlations,
)


def test_windows_correlate_as_numpy_says_and_best_where_they_went() -> None:
    fixed = torch.rand(2, 1, 20, 24, generator=torch.Generator().manual_seed(0))
    moving = 0.3 + 0.5 * torch.roll(
        fixed, (2, -1), (2, 3)
    )  # another contrast, two down, one to the left
    correlations = window_correlations(fixed, moving, 2, 3)
    assert correlations.shape == (2, 25, 20, 24)
    windows = [
        picture[1, 0, 7:14, 9:16].numpy().ravel()
        for picture in (fixed, torch.roll(moving, (-1, -2), (2, 3)))
    ]
    assert (
        abs(float(correlations[1, (1 + 2) * 5 + (2 + 2), 10, 12]) - np.corrcoef(*windows)[0, 1])
        < 0.03
    )  # the noise floor
    assert (correlations[:, :, 6:14, 6:18].argmax(1) == (2 + 2) * 5 + (-1 + 2)).all()
    assert (
        window_correlations(torch.ones(1, 1, 9, 9), fixed[:1, :, :9, :9], 2, 3).abs().max() < 1e-3
    )


def test_a_match_is_where_windows_went() -> None:
    fixed = torch.rand(1, 1, 30, 30, generator=torch.Generator().manual_seed(0))
    moving = torch.roll(fixed, (1, -2), (2, 3))
    correlations = window_correlations(fixed, moving, 3, 4)
    sharpness = torch.tensor(40.0)
    displacement = match_windows(correlations, correlations.amax(1, keepdim=True), sharpness)
    middle = displacement[0, :, 10:20, 10:20].mean((1, 2))
    assert torch.allclose(middle, torch.tensor([-2.0, 1.0]), atol=0.1)
    with torch.inference_mode():
        again = match_windows(correlations.clone(), correlations.amax(1, keepdim=True), sharpness)
    assert torch.allclose(again, displacement, atol=1e-5)
    correlations = window_correlations(fixed, torch.zeros(1, 1, 30, 30), 3, 4)
    assert (
        match_windows(correlations, correlations.amax(1, keepdim=True), sharpness).abs().max()
        < 1e-4
    )


def test_an_affine_map_is_fitted_where_matches_are_trusted() -> None:
    matrix = torch.tensor([[[1.05, 0.1, 0.03], [-0.08, 0.97, -0.06]]])
    displacement = affine_displacement(matrix, 32, 40)
    weight = torch.ones(1, 1, 32, 40)
    displacement[..., :6] = 50.0
    weight[..., :6] = 0.0
    fitted = fit_affine_change(displacement, weight, 20.0) + torch.eye(2, 3)
    assert torch.allclose(fitted, matrix, atol=2e-3)
    assert torch.equal(fit_affine_change(displacement, 0 * weight, 20.0), torch.zeros(1, 2, 3))


def test_neighbours_are_asked_as_they_are_trusted() -> None:
    field = torch.zeros(1, 2, 9, 9)
    weight = torch.ones(1, 1, 9, 9)
    field[..., 4, 4] = 25.0
    assert torch.allclose(smooth_weighted(field, weight)[..., 4, 4], torch.ones(1, 2))
    weight[..., 4, 4] = 0.0
    assert smooth_weighted(field, weight).abs().max() < 1e-5
