"""Local contrast: faint tissue looks like dark tissue, and texture tells it from glass."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from stainbridge.imaging.local_contrast import find_textured_region, normalise_contrast
from stainbridge.types import Mask, Plane

SIDE = 256
NOTHING = np.zeros((SIDE, SIDE), bool)


def disc(radius: int = 80, centre: tuple[int, int] = (128, 128)) -> Mask:
    plane = np.zeros((SIDE, SIDE), np.uint8)
    cv2.circle(plane, centre, radius, 1, -1)
    return plane > 0


def texture(seed: int = 0, blur: float = 1.2) -> Plane:
    """Noise of unit variance with structures a few pixels across."""
    noise = np.random.default_rng(seed).normal(size=(SIDE, SIDE)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), blur)
    return np.asarray(smooth / smooth.std())


def faint_tissue(strength: float = 0.01) -> Plane:
    """Optical density of a disc with structure, on glass that is lit unevenly."""
    light = np.linspace(0.03, 0.09, SIDE, dtype=np.float32)[None].repeat(SIDE, axis=0)
    noise = 0.001 * texture(5, 0.8)
    return np.asarray(light + noise + disc() * strength * (1 + texture()), np.float32)


def agreement(found: Mask, true: Mask) -> float:
    return float((found & true).sum() / (found | true).sum())


@pytest.mark.parametrize(("strength", "least"), [(0.01, 0.85), (0.1, 0.75)])
def test_texture_tells_tissue_from_unevenly_lit_glass(strength: float, least: float) -> None:
    found = find_textured_region(faint_tissue(strength), NOTHING)
    assert found is not None
    assert agreement(found, disc()) > least


def test_a_dark_nest_does_not_hide_the_faint_tissue_around_it() -> None:
    light = faint_tissue() + 0.5 * disc(15, (110, 120)) * np.abs(texture(9))
    found = find_textured_region(light, NOTHING)
    assert found is not None
    assert agreement(found, disc()) > 0.85


def test_bare_glass_has_no_textured_region() -> None:
    noise = 0.05 + 0.001 * texture(3, 0.8)
    assert find_textured_region(noise, NOTHING) is None
    assert find_textured_region(noise, ~NOTHING) is None


def test_what_is_foreign_is_no_tissue() -> None:
    dust = np.zeros_like(NOTHING)
    dust[10:40, 10:40] = True
    light = faint_tissue() + dust * np.abs(texture(4))
    found = find_textured_region(light, dust)
    assert found is not None
    assert not found[15:35, 15:35].any()


def test_faint_structure_is_seen_as_strongly_as_dark_structure() -> None:
    structure = np.asarray(texture(blur=2.0) * disc(), np.float32)
    faint, dark = (
        normalise_contrast(0.05 + strength * structure, NOTHING)[disc(60)]
        for strength in (0.005, 0.5)
    )
    np.testing.assert_allclose(faint, dark, atol=3e-3)
    assert 0.15 < faint.std() < 0.3


def test_uneven_light_leaves_the_middle_density() -> None:
    ramp = np.linspace(0.0, 0.1, SIDE, dtype=np.float32)[None].repeat(SIDE, axis=0)
    noise = np.float32(0.005) * texture(6)
    flat, sloping = (normalise_contrast(noise + light, NOTHING) for light in (0 * ramp, ramp))
    inside = slice(30, -30)
    assert np.abs(flat - sloping)[inside, inside].mean() < 0.03


def test_foreign_pixels_have_no_influence() -> None:
    light = faint_tissue()
    ink = np.zeros_like(NOTHING)
    ink[100:130, 90:120] = True
    with_ink = light + 2 * ink.astype(np.float32)
    far = ~cv2.dilate(ink.astype(np.uint8), np.ones((9, 9), np.uint8)).astype(bool)
    plain, marked = (normalise_contrast(plane, ink) for plane in (light, with_ink))
    assert np.abs(plain - marked)[far].max() < 0.05


def test_densities_are_within_their_range() -> None:
    density = normalise_contrast(faint_tissue(0.5), NOTHING)
    assert density.dtype == np.float32
    assert density.min() >= 0
    assert density.max() <= 1.2
