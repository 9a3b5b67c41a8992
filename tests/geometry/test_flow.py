"""Differentiable displacement fields."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from stainbridge.geometry.field import jacobian_determinant
from stainbridge.geometry.flow import (
    affine_displacement,
    compose,
    exponentiate,
    pixel_grid,
    resize,
    sample,
    warp,
)


def smooth_field(height: int, width: int, amount: float, seed: int = 0) -> Tensor:
    nodes = torch.randn(1, 2, 4, 4, generator=torch.Generator().manual_seed(seed))
    wave = torch.nn.functional.interpolate(
        nodes, (height, width), mode="bicubic", align_corners=True
    )
    return wave / wave.abs().max() * amount


def test_a_whole_shift_moves_pixels_exactly() -> None:
    image = torch.rand(1, 1, 9, 12)
    shift = torch.tensor([2.0, -1.0]).view(1, 2, 1, 1).expand(1, 2, 9, 12)
    assert torch.allclose(warp(image, shift)[..., 1:, :-2], image[..., :-1, 2:], atol=1e-5)


def test_sampling_at_the_pixels_gives_the_picture() -> None:
    image = torch.rand(2, 3, 7, 5)
    assert torch.allclose(
        sample(image, pixel_grid(7, 5, image).expand(2, -1, -1, -1)), image, atol=1e-5
    )


def test_composition_is_one_map_after_the_other() -> None:
    first, then = smooth_field(64, 80, 3, 1), smooth_field(64, 80, 3, 2)
    image = torch.nn.functional.avg_pool2d(torch.rand(1, 1, 74, 90), 11, 1)
    twice = warp(warp(image, then), first)
    once = warp(image, compose(first, then))
    assert (twice - once)[..., 8:-8, 8:-8].abs().max() < 0.02


def test_the_flow_of_a_velocity_is_inverted_by_that_of_its_negative_and_does_not_fold() -> None:
    velocity = smooth_field(64, 64, 12)
    there, back = exponentiate(velocity), exponentiate(-velocity)
    assert there.abs().max() > 5
    assert compose(there, back)[..., 16:-16, 16:-16].abs().max() < 0.1
    assert jacobian_determinant(there[0].numpy(), (1.0, 1.0)).min() > 0


def test_a_flow_after_one_without_gradients_has_gradients() -> None:
    velocity = 0.01 * torch.ones(1, 2, 11, 13)
    with torch.inference_mode():
        exponentiate(velocity)
    exponentiate(velocity.requires_grad_(True)).sum().backward()
    assert velocity.grad is not None
    assert bool((velocity.grad != 0).all())


def test_the_flow_of_a_constant_velocity_is_a_shift() -> None:
    velocity = torch.tensor([3.0, -2.0]).view(1, 2, 1, 1).expand(1, 2, 16, 16)
    assert torch.allclose(exponentiate(velocity), velocity, atol=1e-5)


def test_resizing_scales_the_vectors() -> None:
    assert torch.allclose(resize(torch.ones(1, 2, 8, 6), 24, 12)[:, 0], torch.tensor(2.0))
    assert torch.allclose(resize(torch.ones(1, 2, 8, 6), 24, 12)[:, 1], torch.tensor(3.0))


@pytest.mark.parametrize(("height", "width"), [(40, 60), (61, 33)])
def test_affine_displacement_is_about_the_middle_in_half_sides(height: int, width: int) -> None:
    turn = np.radians(90)
    matrix = torch.tensor(
        [[[np.cos(turn), -np.sin(turn), 0.5], [np.sin(turn), np.cos(turn), 0]]], dtype=torch.float32
    )
    moved = (pixel_grid(height, width, matrix) + affine_displacement(matrix, height, width))[0]
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    expected = (
        np.array([[0, -1], [1, 0]]) @ (np.array([3, 5]) - middle)
        + middle
        + [max(height, width) / 4, 0]
    )
    assert np.allclose(moved[:, 5, 3].numpy(), expected, atol=1e-4)
    assert affine_displacement(torch.eye(2, 3)[None], height, width).abs().max() < 1e-5
