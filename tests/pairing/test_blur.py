"""Blur is measured in pixels, from the sharpest edges."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from tests.pairing.texture import draw_texture

from stainbridge.pairing.blur import estimate_blur_px

EVERYWHERE = np.ones((256, 256), bool)


@pytest.mark.parametrize("sigma", [2.0, 4.0, 6.0])
def test_the_blur_of_a_picture_is_found(sigma: float) -> None:
    blurred = cv2.GaussianBlur(draw_texture(256), (0, 0), sigma)
    assert estimate_blur_px(blurred, EVERYWHERE) == pytest.approx(sigma, rel=0.4)


def test_more_blur_measures_more() -> None:
    pictures = [cv2.GaussianBlur(draw_texture(256), (0, 0), sigma) for sigma in (1, 2, 3, 4)]
    radii = [estimate_blur_px(picture, EVERYWHERE) for picture in pictures]
    assert radii == sorted(radii)


def test_without_edges_nothing_tells() -> None:
    assert np.isnan(estimate_blur_px(np.full((256, 256), 0.4, np.float32), EVERYWHERE))
    assert np.isnan(estimate_blur_px(draw_texture(256), np.zeros((256, 256), bool)))
