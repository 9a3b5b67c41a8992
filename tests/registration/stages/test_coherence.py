"""Windows that share no pixel are displaced alike by a deformation, and by chance they are not."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from tests.registration.pictures import SIZE, between, draw_tissue, section_of

from stainbridge.registration.stages.coherence import (
    Displacements,
    correlate_neighbours,
    find_displacements,
    measure_coherence,
)
from stainbridge.registration.stages.stage import MIN_COHERENCE
from stainbridge.types import Mask, Pixels

ALL: Mask = np.ones((18, 20), bool)


def draw_noise(seed: int) -> Displacements:
    return np.random.default_rng(seed).normal(0, 1.5, (*ALL.shape, 2))


def draw_wave() -> Displacements:
    rows, columns = np.indices(ALL.shape)
    return np.stack([np.sin(rows / 3), np.cos(columns / 3)], -1)


def warp_smoothly(pixels: Pixels, amplitude_px: float) -> Pixels:
    rows, columns = np.indices((SIZE, SIZE)).astype(np.float32)
    x = columns + amplitude_px * np.sin(rows / 40)
    y = rows + amplitude_px * np.cos(columns / 40)
    planes = [cv2.remap(p, x, y.astype(np.float32), cv2.INTER_LINEAR) for p in pixels]
    return np.stack(planes)


def add_own_structure(pixels: Pixels, seed: int) -> Pixels:
    """Return the picture with as much structure again that no other shows."""
    noise = gaussian_filter(np.random.default_rng(seed).normal(size=(SIZE, SIZE)), 2.0)
    tissue = (255.0 - pixels) / 255
    return np.clip(pixels + 40 * noise / noise.std() * tissue, 0, 255).astype(np.uint8)


def measure(fixed: Pixels, moving: Pixels) -> float:
    sections = section_of(fixed, "fixed"), section_of(moving, "moving")
    return measure_coherence(*sections, between(*sections))


@pytest.mark.parametrize("seed", range(5))
def test_independent_displacements_agree_as_chance_does(seed: int) -> None:
    assert abs(correlate_neighbours(draw_noise(seed), ALL)) < 3


def test_smooth_displacements_agree_even_in_noise() -> None:
    assert correlate_neighbours(draw_wave(), ALL) > 10
    assert correlate_neighbours(draw_wave() + draw_noise(0), ALL) > 4


def test_an_affine_map_is_no_deformation() -> None:
    rows, columns = np.indices(ALL.shape)
    turned = np.stack([3 + 0.1 * rows, 0.2 * columns - 0.1 * rows], -1)
    assert abs(correlate_neighbours(turned + draw_noise(1), ALL)) < 3


def test_windows_that_say_nothing_are_left_out() -> None:
    usable = ALL.copy()
    usable[5:] = False
    displacements = draw_noise(2)
    displacements[5:] = 100 * draw_wave()[5:]
    expected = correlate_neighbours(displacements[:5], usable[:5])
    assert correlate_neighbours(displacements, usable) == pytest.approx(expected)
    usable[:] = False
    usable[0, :11] = True
    assert correlate_neighbours(draw_wave(), usable) == 0


def test_a_window_is_displaced_to_its_best_fit_by_fractions_of_pixels() -> None:
    x, y = np.meshgrid(np.arange(-3, 4), np.arange(-3, 4))
    near = 1 - 0.01 * ((x - 1.25) ** 2 + (y + 0.5) ** 2)
    beyond = 1 - 0.01 * ((x - 9.0) ** 2 + y**2)
    correlations = torch.tensor(np.stack([near.ravel(), beyond.ravel()], -1))[:, None]
    displacements, is_inside = find_displacements(correlations)
    np.testing.assert_allclose(displacements[0, 0], [1.25, -0.5], atol=1e-9)
    assert is_inside.tolist() == [[True, False]]


def test_a_picture_of_warped_tissue_needs_a_deformation() -> None:
    tissue = draw_tissue()
    moving = add_own_structure(warp_smoothly(tissue, 3.0), 1)
    assert measure(add_own_structure(tissue, 2), moving) > 2 * MIN_COHERENCE


@pytest.mark.parametrize("seed", range(3))
def test_what_pictures_do_not_share_is_no_deformation(seed: int) -> None:
    tissue = draw_tissue(seed)
    fixed = add_own_structure(tissue, 10 + seed)
    assert measure(fixed, add_own_structure(tissue, 20 + seed)) < MIN_COHERENCE
    assert measure(fixed, fixed) < MIN_COHERENCE
