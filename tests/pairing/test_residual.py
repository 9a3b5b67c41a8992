"""The misalignment of a patch is estimated within a factor of two, or not at all."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from tests.pairing.texture import draw_texture, shift_texture

from stainbridge.pairing.residual import estimate_residual


@pytest.mark.parametrize("length", [2.0, 6.0, 25.0, 70.0])
def test_a_known_shift_is_found_within_a_factor_of_two(length: float) -> None:
    fixed = draw_texture(512)
    moving = shift_texture(fixed, 0.6 * length, -0.8 * length)
    residual = estimate_residual(fixed, moving)
    assert length / 2 < residual.px < length * 2
    assert residual.uncertainty_px < length


def test_an_exact_patch_has_hardly_any_residual() -> None:
    fixed = draw_texture(512)
    assert 0.3 <= estimate_residual(fixed, fixed, 0.0).px < 0.5
    assert estimate_residual(fixed, fixed).px < 1


def test_the_residual_is_in_pixels_of_the_patch() -> None:
    fixed = draw_texture(512)
    moving = shift_texture(fixed, 8.0, 0.0)
    large = [cv2.resize(plane, (1024, 1024)) for plane in (fixed, moving)]
    assert estimate_residual(*large).px == pytest.approx(
        2 * estimate_residual(fixed, moving).px, rel=0.2
    )


def test_wrong_windows_do_not_spoil_the_rest() -> None:
    fixed = draw_texture(512)
    moving = shift_texture(fixed, 4.0, 0.0)
    moving[:180, :180] = draw_texture(512, seed=5)[:180, :180]
    assert 2 < estimate_residual(fixed, moving).px < 8


def test_a_blank_patch_tells_nothing() -> None:
    fixed = draw_texture(256)
    residual = estimate_residual(fixed, np.zeros_like(fixed))
    assert np.isnan(residual.px)
    assert np.isnan(residual.uncertainty_px)


def test_what_an_alignment_does_not_know_is_added_to_what_is_seen() -> None:
    fixed = draw_texture(512)
    moving = shift_texture(fixed, 6.0, 0.0)
    sure = estimate_residual(fixed, moving, 0.0)
    unsure = estimate_residual(fixed, moving, 10.0)
    assert unsure.px == pytest.approx(np.hypot(sure.px, 10.0), rel=1e-3)
    assert unsure.px > 10
    assert unsure.uncertainty_px > sure.uncertainty_px + 2


def test_where_windows_hardly_tell_anything_more_is_possible_than_the_alignment_says() -> None:
    fixed = draw_texture(512)
    noise = np.random.default_rng(0).normal(size=(2, *fixed.shape)).astype(np.float32)
    plain = estimate_residual(fixed, fixed, 1.0)
    even = estimate_residual(*(0.1 * fixed + fixed.std() * noise), 1.0)
    assert even.uncertainty_px > 3 * plain.uncertainty_px
    assert even.px > 1.2 * plain.px
