"""JPEG compression on a grid fixed to the slide."""

from __future__ import annotations

import numpy as np

from stainbridge.geometry.frame import Space
from stainbridge.phantom.glass.jpeg import MARGIN_PX, apply_jpeg


def test_jpeg_does_not_depend_on_what_is_read() -> None:
    rng = np.random.default_rng(1)
    pixels = np.clip(rng.normal(180, 30, (200, 200, 3)), 0, 255).astype(np.uint8)
    frame = Space("slide", 200, 200, (1.0, 1.0)).frame
    whole = apply_jpeg(pixels.copy(), frame, 50)
    assert 3 < np.abs(whole.astype(float) - pixels).mean() < 40
    part = apply_jpeg(pixels[37:160, 21:150].copy(), frame.crop(21, 37, 129, 123), 50)
    inner = slice(MARGIN_PX, -MARGIN_PX)
    np.testing.assert_array_equal(part[inner, inner], whole[37:160, 21:150][inner, inner])
