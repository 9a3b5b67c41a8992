"""Windows are found again where they went, smoothly, also where single matches err."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter, map_coordinates

from stainbridge.errors import InputError
from stainbridge.registration.config import MatchingConfig
from stainbridge.registration.stages.matching import matched

HEIGHT, WIDTH = 72, 96


def planes(seed: int = 0) -> np.ndarray:
    """Two planes of texture, (2, H, W), in 0..1."""
    rng = np.random.default_rng(seed)
    texture = np.stack([gaussian_filter(rng.normal(size=(HEIGHT, WIDTH)), 1.5) for _ in range(2)])
    return np.clip(0.5 + 0.2 * texture / texture.std(), 0, 1).astype(np.float32)


def bent(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The planes seen through a bend of up to 8 px, and that bend (2, H, W): moving(p + bend) =
    fixed(p).
    """
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(float)
    bend = np.stack([6 * np.sin(y / 25), 5 * np.cos(x / 30)])
    back = bend.copy()
    for _ in range(30):  # from the moving side: back(q) = bend(q - back(q))
        at = np.stack([y - back[1], x - back[0]])
        back = np.stack([map_coordinates(b, at, order=1, mode="nearest") for b in bend])
    moving = [
        map_coordinates(p, [y - back[1], x - back[0]], order=1, mode="nearest") for p in pixels
    ]
    return np.stack(moving), bend


def test_a_bend_is_found_where_there_is_structure() -> None:
    fixed = planes()
    moving, bend = bent(fixed)
    weight = torch.ones(1, 1, HEIGHT, WIDTH)
    found = matched(
        torch.tensor(fixed)[None],
        torch.tensor(moving, dtype=torch.float32)[None],
        weight,
        MatchingConfig(),
    )
    error = np.hypot(*(found[0].numpy() - bend))
    assert found.shape == (1, 2, HEIGHT, WIDTH)
    assert np.median(error) < 0.7 < 3 < np.median(np.hypot(*bend))


def test_what_has_no_weight_has_no_say() -> None:
    fixed = planes()
    moving, bend = bent(fixed)
    moving[:, :, : WIDTH // 3] = planes(seed=9)[:, :, : WIDTH // 3]
    weight = torch.ones(1, 1, HEIGHT, WIDTH)
    weight[..., : WIDTH // 3 + 12] = 0
    found = matched(
        torch.tensor(fixed)[None],
        torch.tensor(moving, dtype=torch.float32)[None],
        weight,
        MatchingConfig(),
    )
    error = np.hypot(*(found[0].numpy() - bend))[:, WIDTH // 2 : -8]
    assert np.median(error) < 0.8


def test_the_same_picture_lies_where_it_is() -> None:
    fixed = torch.tensor(planes())[None]
    found = matched(fixed, fixed, torch.ones(1, 1, HEIGHT, WIDTH), MatchingConfig())
    assert float(found.abs().max()) < 0.05


def test_pictures_smaller_than_the_reach_are_no_trouble() -> None:
    fixed = torch.tensor(planes()[:, :5, :7])[None]
    found = matched(fixed, fixed, torch.zeros(1, 1, 5, 7), MatchingConfig())
    assert found.shape == (1, 2, 5, 7)
    assert bool(torch.isfinite(found).all())


def test_settings_that_match_nothing_are_refused() -> None:
    with pytest.raises(InputError, match="matching"):
        MatchingConfig(distance_px=0)
