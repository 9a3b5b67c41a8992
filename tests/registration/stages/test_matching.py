"""Windows are matched where they went, smoothly, also where single matches are wrong."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter, map_coordinates

from stainbridge.errors import InputError
from stainbridge.registration.config import MatchingConfig
from stainbridge.registration.stages.matching import match_windows

HEIGHT, WIDTH = 72, 96


def draw_planes(seed: int = 0) -> np.ndarray:
    """Draw two planes of texture, (2, H, W), in 0..1."""
    rng = np.random.default_rng(seed)
    texture = np.stack([gaussian_filter(rng.normal(size=(HEIGHT, WIDTH)), 1.5) for _ in range(2)])
    return np.asarray(np.clip(0.5 + 0.2 * texture / texture.std(), 0, 1), np.float32)


def deform_planes(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Deform planes by up to 8 px; return them and the shift, (2, H, W).

    moving(p + shift) = fixed(p).
    """
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(float)
    shift = np.stack([6 * np.sin(y / 25), 5 * np.cos(x / 30)])
    back = shift.copy()
    for _ in range(30):  # from the moving side: back(q) = shift(q - back(q))
        source = np.stack([y - back[1], x - back[0]])
        back = np.stack([map_coordinates(s, source, order=1, mode="nearest") for s in shift])
    source = np.stack([y - back[1], x - back[0]])
    moving = [map_coordinates(p, source, order=1, mode="nearest") for p in pixels]
    return np.stack(moving), shift


def match(fixed: np.ndarray, moving: np.ndarray, weight: torch.Tensor) -> np.ndarray:
    """Return the matches of planes (2, H, W), (2, H, W)."""
    target = torch.tensor(fixed)[None]
    source = torch.tensor(moving, dtype=torch.float32)[None]
    matches = match_windows(target, source, weight, MatchingConfig())
    assert matches.shape == (1, *fixed.shape)
    return matches[0].numpy()


def test_a_deformation_is_found_where_there_is_structure() -> None:
    fixed = draw_planes()
    moving, shift = deform_planes(fixed)
    matches = match(fixed, moving, torch.ones(1, 1, HEIGHT, WIDTH))
    error = np.hypot(*(matches - shift))
    assert np.median(error) < 0.7 < 3 < np.median(np.hypot(*shift))


def test_places_without_weight_do_not_count() -> None:
    fixed = draw_planes()
    moving, shift = deform_planes(fixed)
    moving[:, :, : WIDTH // 3] = draw_planes(seed=9)[:, :, : WIDTH // 3]
    weight = torch.ones(1, 1, HEIGHT, WIDTH)
    weight[..., : WIDTH // 3 + 12] = 0
    error = np.hypot(*(match(fixed, moving, weight) - shift))[:, WIDTH // 2 : -8]
    assert np.median(error) < 0.8


def test_the_same_picture_matches_where_it_is() -> None:
    fixed = draw_planes()
    assert np.abs(match(fixed, fixed, torch.ones(1, 1, HEIGHT, WIDTH))).max() < 0.05


def test_pictures_smaller_than_the_reach_can_be_matched() -> None:
    fixed = draw_planes()[:, :5, :7]
    matches = match(fixed, fixed, torch.zeros(1, 1, 5, 7))
    assert matches.shape == (2, 5, 7)
    assert np.isfinite(matches).all()


def test_settings_that_match_nothing_are_refused() -> None:
    with pytest.raises(InputError, match="out of range"):
        MatchingConfig(distance_px=0)
