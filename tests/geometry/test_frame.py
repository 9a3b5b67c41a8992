"""Space and Frame: a plane for each slide, and one grid of pixels at every level and crop of it."""

from __future__ import annotations

import copy
import math
import pickle
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame, Space

sizes = st.integers(1, 400)
pixel_sizes = st.floats(0.05, 20)
offsets = st.floats(-5000, 5000)
frames = st.builds(
    Frame,
    st.just(Space("slide", 400, 400)),
    sizes,
    sizes,
    st.tuples(pixel_sizes, pixel_sizes),
    st.tuples(offsets, offsets),
)


def test_two_spaces_made_alike_are_two() -> None:
    first = Space("0001.png", 400, 300, (0.5, 0.5))
    second = Space("0001.png", 400, 300, (0.5, 0.5))
    assert first != second
    assert first.frame != second.frame
    assert len({first, second}) == 2


def test_levels_and_crops_of_a_slide_share_its_space() -> None:
    space = Space("slide", 400, 300, (0.5, 0.5))
    level = space.frame.at_mpp(2.0)
    for frame in (space.frame, level, space.frame.fit(50), level.crop(5, 6, 20, 30)):
        assert frame.space is space


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))]
)
def test_a_space_that_went_through_another_process_is_the_same(
    copied: Callable[[Frame], Frame],
) -> None:
    frame = Space("slide", 400, 300, (0.5, 0.25), calibrated=False).frame.fit(50)
    other = copied(frame)
    assert other == frame
    assert other.space == frame.space
    assert hash(other.space) == hash(frame.space)
    assert (other.space.label, other.space.mpp, other.calibrated) == ("slide", (0.5, 0.25), False)
    assert other.space.frame == frame.space.frame


@given(frames, st.lists(st.tuples(offsets, offsets), min_size=1, max_size=5))
def test_pixels_and_micrometres_are_inverse(
    frame: Frame, points: list[tuple[float, float]]
) -> None:
    px = np.array(points)
    np.testing.assert_allclose(frame.to_px(frame.to_um(px)), px, rtol=0, atol=1e-6)


@given(frames)
def test_pixel_centres_lie_half_a_pixel_from_the_corner(frame: Frame) -> None:
    centres = frame.to_px(frame.centres_um()).reshape(frame.height, frame.width, 2)
    np.testing.assert_allclose(
        centres[..., 0], np.broadcast_to(np.arange(frame.width) + 0.5, centres.shape[:2]), atol=1e-6
    )
    np.testing.assert_allclose(
        centres[..., 1].T,
        np.broadcast_to(np.arange(frame.height) + 0.5, centres.shape[1::-1]),
        atol=1e-6,
    )


@given(frames, st.floats(0.05, 50))
def test_another_level_covers_exactly_the_same_ground(frame: Frame, mpp: float) -> None:
    level = frame.at_mpp(mpp)
    np.testing.assert_allclose(level.size_um, frame.size_um)
    np.testing.assert_allclose(level.corners_um, frame.corners_um, atol=1e-6)
    assert (level.label, level.calibrated) == (frame.label, frame.calibrated)


@given(frames, st.integers(1, 500))
def test_fitting_bounds_the_longer_side_and_never_makes_finer_pixels(
    frame: Frame, longest_px: int
) -> None:
    fitted = frame.fit(longest_px)
    assert max(fitted.width, fitted.height) <= longest_px
    assert fitted.width <= frame.width
    assert fitted.height <= frame.height
    if longest_px >= max(frame.width, frame.height):
        assert (fitted.width, fitted.height) == (frame.width, frame.height)


@given(frames, st.integers(-50, 50), st.integers(-50, 50), sizes, sizes)
def test_a_crop_keeps_its_pixels_where_they_were(
    frame: Frame, x: int, y: int, width: int, height: int
) -> None:
    crop = frame.crop(x, y, width, height)
    assert (crop.width, crop.height, crop.mpp) == (width, height, frame.mpp)
    np.testing.assert_allclose(
        crop.to_um(np.array([[0.5, 0.5]])), frame.to_um(np.array([[x + 0.5, y + 0.5]])), atol=1e-6
    )


@given(frames)
def test_the_centre_is_amid_the_corners_and_inside(frame: Frame) -> None:
    np.testing.assert_allclose(frame.centre_um, frame.corners_um.mean(axis=0), atol=1e-6)
    assert frame.contains(np.array([frame.centre_um]))[0]
    assert frame.diagonal_um == pytest.approx(
        math.dist(frame.corners_um[0], frame.corners_um[2]), rel=1e-9, abs=1e-6
    )


def test_points_beyond_each_side_are_outside() -> None:
    frame = Frame(Space("slide", 10, 20, (2.0, 3.0)), 10, 20, (2.0, 3.0), (100.0, -50.0))
    inside = np.array([[100, -50], [140, -20], [120, -35]])
    outside = np.array([[99.9, -35], [140.1, -35], [120, -50.1], [120, -19.9]])
    assert frame.contains(inside).all()
    assert not frame.contains(outside).any()


@pytest.mark.parametrize(("height", "width"), [(0, 5), (5, 0), (-1, 5)])
def test_an_empty_grid_is_refused(height: int, width: int) -> None:
    with pytest.raises(InputError, match=r"slide.*at least one pixel.*got"):
        Space("slide", height, width)


@pytest.mark.parametrize("mpp", [(0.0, 1.0), (1.0, -1.0), (math.nan, 1.0), (1.0, math.inf)])
def test_an_impossible_pixel_size_is_refused(mpp: tuple[float, float]) -> None:
    with pytest.raises(InputError, match="pixel size must be positive"):
        Space("slide", 5, 5, mpp)
