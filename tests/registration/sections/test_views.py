"""What a network is shown of a section."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.registration.networks import CPU
from tests.registration.states import must_read
from tests.registration.training.sections import section as draw_slide

from stainbridge.registration.sections.section import Section
from stainbridge.registration.sections.views import frame_tissue, sample_section


@pytest.fixture(scope="module")
def fixed() -> Section:
    return must_read(draw_slide())


def test_a_view_has_the_tissue_with_a_margin(fixed: Section) -> None:
    view = frame_tissue(fixed, 96)
    assert max(view.width, view.height) == 96
    tissue = fixed.frame.centres_um()[fixed.region.ravel()]
    px = view.to_px(tissue)
    assert px.min() > 0.07 * 96
    assert (px.max(axis=0) < np.array([view.width, view.height]) - 0.07 * 96).all()
    assert frame_tissue(fixed, 96, mpp=2.0).mpp == (2.0, 2.0)
    square = frame_tissue(fixed, 96, square=True)
    assert square.width == square.height == 96
    assert np.allclose(square.centre_um, view.centre_um, atol=view.mpp[0])


def test_a_section_sampled_through_a_map_is_moved_by_it(fixed: Section) -> None:
    view = frame_tissue(fixed, 128, mpp=2.0)
    shift = np.array([[1, 0, 8.0], [0, 1, -6.0], [0, 0, 1]])
    still, moved = sample_section(fixed, view, [np.eye(3), shift], CPU)
    assert still.max() > 0.8
    assert torch.allclose(moved[:, 3:, :-4], still[:, :-3, 4:], atol=1e-4)
