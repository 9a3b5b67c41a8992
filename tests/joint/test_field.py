"""How large the pictures are that a network of grey pictures is shown."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from stainbridge.geometry.placement import place_unregistered
from stainbridge.joint.field import GreyField
from stainbridge.nn.unet_svf import UNetSVF, UNetSVFConfig
from stainbridge.slides.memory import ArraySlide

NETWORK = UNetSVFConfig(down=(8, 8), up=(8,), last=(8,), squarings=3)


def make_slide(mpp: float | None) -> ArraySlide:
    y, x = np.mgrid[:200, :240]
    tissue = np.where((x - 120) ** 2 + (y - 100) ** 2 < 60**2, 120 + 60 * np.sin(x / 5), 0)
    return ArraySlide(tissue.astype(np.uint8)[None], mpp=mpp)


@pytest.mark.parametrize(
    ("slide_mpp", "calibrated", "pixel"),
    [
        (2.0, True, 4.0),  # both know their µm: the size that it was trained at
        (None, False, 4.0),  # neither does: so many pixels of the file
        (2.0, False, None),  # they cannot be compared: by the tissue's size
        (None, True, None),
    ],
)
def test_pixels_are_as_trained_where_sizes_can_be_compared(
    slide_mpp: float | None, calibrated: bool, pixel: float | None
) -> None:
    slide = make_slide(slide_mpp)
    field = GreyField(UNetSVF(NETWORK).eval(), 50, 4.0, torch.device("cpu"), calibrated)
    placement = place_unregistered(slide.frame.space, slide.frame.space)
    view, read_pair = field.open_pair(slide, slide, placement, (None, None))
    if pixel is None:
        assert max(view.height, view.width) == 50
    else:
        assert view.mpp == (pixel, pixel)
    fixed, moving = read_pair(view)
    assert fixed.shape == (1, 1, view.height, view.width)
    assert torch.equal(fixed, moving)


def test_an_untrained_network_moves_nothing() -> None:
    slide = make_slide(2.0)
    field = GreyField(UNetSVF(NETWORK).eval(), 50, None, torch.device("cpu"), calibrated=True)
    placement = place_unregistered(slide.frame.space, slide.frame.space)
    displacement = field.register_slides(slide, slide, placement)
    assert displacement.source == displacement.target == slide.frame.space
    points = slide.frame.centres_um()[::997]
    np.testing.assert_allclose(displacement(points), points, atol=0.01)
