"""Regularity of fields whose derivatives are known."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from stainbridge.similarity.regularity import bending_energy, curvature, diffusion, total_variation

Energy = Callable[[Tensor], Tensor]
ENERGIES = (total_variation, diffusion, bending_energy, curvature)


def field(
    u_x: Callable[[Tensor, Tensor], Tensor], u_y: Callable[[Tensor, Tensor], Tensor]
) -> Tensor:
    """(1, 2, 20, 24) of functions of column and row."""
    y, x = torch.meshgrid(torch.arange(20.0).double(), torch.arange(24.0).double(), indexing="ij")
    return torch.stack([u_x(x, y), u_y(x, y)])[None]


@pytest.mark.parametrize("energy", ENERGIES)
def test_a_shift_costs_nothing(energy: Energy) -> None:
    shift = field(lambda x, y: 0 * x + 3, lambda x, y: 0 * x - 5)
    assert float(energy(shift)) == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize(
    ("energy", "expected"), [(total_variation, math.sqrt(14)), (diffusion, 14), (bending_energy, 0)]
)
def test_a_slope_costs_its_gradient(energy: Energy, expected: float) -> None:
    slope = field(lambda x, y: 2 * x + y, lambda x, y: -3 * y)  # |∇u|² = 4 + 1 + 9
    assert float(energy(slope)) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("energy", "expected"), [(bending_energy, 4 + 2 * 9 + 16), (curvature, (2 + 4) ** 2)]
)
def test_a_parabola_costs_its_second_derivatives(energy: Energy, expected: float) -> None:
    # u_xx = 2, u_xy = 3, u_yy = 4
    bowl = field(lambda x, y: x * x + 3 * x * y + 2 * y * y, lambda x, y: 0 * x)
    assert float(energy(bowl)) == pytest.approx(expected)


def test_a_saddle_bends_but_has_no_curvature() -> None:
    saddle = field(lambda x, y: x * x - y * y, lambda x, y: x * y)
    assert float(curvature(saddle)) == pytest.approx(0, abs=1e-9)
    assert float(bending_energy(saddle)) == pytest.approx(4 + 4 + 2)


@pytest.mark.parametrize("energy", ENERGIES)
def test_gradients_are_the_numerical_ones_and_samples_are_strangers(energy: Energy) -> None:
    u = torch.randn(
        2, 2, 6, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(1)
    ).requires_grad_()
    assert torch.autograd.gradcheck(energy, u)
    torch.testing.assert_close(energy(u)[1:], energy(u[1:]))


def test_a_jump_costs_total_variation_no_more_than_the_slope_that_rises_as_much() -> None:
    jump = field(lambda x, y: torch.where(x > 11, 10.0, 0.0), lambda x, y: 0 * x)
    slope = field(lambda x, y: x * 10 / 23, lambda x, y: 0 * x)
    assert float(total_variation(jump)) == pytest.approx(float(total_variation(slope)), rel=1e-3)
    assert float(diffusion(jump)) > 10 * float(diffusion(slope))


def test_a_field_at_rest_has_a_finite_gradient() -> None:
    u = torch.zeros(1, 2, 5, 5, requires_grad=True)
    total_variation(u).sum().backward()
    assert u.grad is not None
    assert torch.isfinite(u.grad).all()
