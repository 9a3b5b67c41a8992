"""A deformation displaces both halves of a window alike; what pictures do not share does not."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from tests.registration.pictures import (
    add_own_structure,
    between,
    draw_tissue,
    section_of,
    warp_locally,
)

from stainbridge.registration.stages.coherence import (
    Displacements,
    compare_halves,
    correlate_windows,
    draw_chessboard,
    find_displacements,
    measure_coherence,
)
from stainbridge.registration.stages.stage import MIN_COHERENCE
from stainbridge.types import Mask, Pixels

ALL: Mask = np.ones((18, 20), bool)


def draw_displacements(seed: int) -> Displacements:
    return np.random.default_rng(seed).normal(0, 1.5, (*ALL.shape, 2))


def measure(fixed: Pixels, moving: Pixels) -> float:
    sections = section_of(fixed, "fixed"), section_of(moving, "moving")
    return measure_coherence(*sections, between(*sections))


@pytest.mark.parametrize("seed", range(5))
def test_independent_halves_agree_as_chance_does(seed: int) -> None:
    assert abs(compare_halves(draw_displacements(seed), draw_displacements(9 + seed), ALL)) < 3


def test_halves_that_share_a_displacement_agree_even_in_noise() -> None:
    shared = draw_displacements(1)
    first, second = (shared + draw_displacements(seed) for seed in (2, 3))
    assert compare_halves(first, second, ALL) > 5


def test_an_affine_map_is_no_deformation() -> None:
    rows, columns = np.indices(ALL.shape)
    turned = np.stack([3 + 0.1 * rows, 0.2 * columns - 0.1 * rows], -1)
    first, second = (turned + draw_displacements(seed) for seed in (2, 3))
    assert abs(compare_halves(first, second, ALL)) < 3


def test_windows_that_say_nothing_are_left_out() -> None:
    usable = ALL.copy()
    usable[5:] = False
    first, second = draw_displacements(2), draw_displacements(3)
    expected = compare_halves(first[:5], second[:5], usable[:5])
    first[5:] = second[5:] = 100
    assert compare_halves(first, second, usable) == pytest.approx(expected)
    usable[:] = False
    usable[0, :11] = True
    assert compare_halves(first, first, usable) == 0


def test_windows_find_where_they_lie_from_either_half() -> None:
    picture = gaussian_filter(np.random.default_rng(0).normal(size=(96, 120)), 1.5)
    fixed = torch.tensor(picture, dtype=torch.float32)[None, None] / picture.std()
    moving = fixed.roll((-2, 3), (-2, -1))
    first = draw_chessboard(96, 120)
    for half in (first, 1 - first):
        displacements, is_peak = find_displacements(correlate_windows(fixed, moving, half))
        assert displacements.shape == (8, 10, 2)
        inner = displacements[1:-1, 1:-1][is_peak[1:-1, 1:-1]]
        assert len(inner) > 40
        assert np.abs(np.median(inner, 0) - [3, -2]).max() < 0.1


def test_a_best_fit_has_fractions_of_pixels_and_lies_inside_the_reach() -> None:
    x, y = np.meshgrid(np.arange(-3, 4), np.arange(-3, 4))
    near = 1 - 0.01 * ((x - 1.25) ** 2 + (y + 0.5) ** 2)
    beyond = 1 - 0.01 * ((x - 9.0) ** 2 + y**2)
    correlations = torch.tensor(np.stack([near, beyond], -1))[:, :, None]
    displacements, is_peak = find_displacements(correlations)
    np.testing.assert_allclose(displacements[0, 0], [1.25, -0.5], atol=1e-9)
    assert is_peak.tolist() == [[True, False]]


def test_tissue_that_is_warped_locally_needs_a_deformation() -> None:
    tissue = draw_tissue()
    moving = add_own_structure(warp_locally(tissue, 2.5), 1)
    assert measure(add_own_structure(tissue, 2), moving) > MIN_COHERENCE


@pytest.mark.parametrize("seed", range(3))
def test_what_pictures_do_not_share_is_no_deformation(seed: int) -> None:
    tissue = draw_tissue(seed)
    fixed = add_own_structure(tissue, 10 + seed)
    assert measure(fixed, add_own_structure(tissue, 20 + seed)) < MIN_COHERENCE
