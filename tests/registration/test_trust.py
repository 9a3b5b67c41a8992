"""What a registration says of itself: of slides that need no deformation, and of odd pixels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from tests.registration.quick import QUICK, draw_small_pair
from tests.registration.test_glass import put_on_glass

from stainbridge.errors import InputError
from stainbridge.geometry.transform import Affine
from stainbridge.phantom.pairs.pair import PhantomPair, generate_pair
from stainbridge.registration.config import DeformableConfig, LearnedFieldConfig, RegisterConfig
from stainbridge.registration.pipeline import register_slides
from stainbridge.registration.result import Registration
from stainbridge.registration.store import load
from stainbridge.slides.memory import ArraySlide
from stainbridge.slides.slide import Slide
from stainbridge.types import Pixels

AFFINE = QUICK.with_transform("affine")


@pytest.fixture(scope="module")
def pair() -> PhantomPair:
    return draw_small_pair()


@pytest.fixture(scope="module")
def plain(pair: PhantomPair) -> Registration:
    return register_slides(pair.fixed, pair.moving, QUICK)


@pytest.fixture(scope="module")
def affine(pair: PhantomPair) -> Registration:
    return register_slides(pair.fixed, pair.moving, AFFINE)


def median_error_px(pair: PhantomPair, result: Registration) -> float:
    warped = result.warp_points(pair.moving_landmarks.points_px)
    return float(np.median(np.linalg.norm(warped - pair.fixed_landmarks.points_px, axis=1)))


def with_pixels(slide: Slide, pixels: Pixels) -> ArraySlide:
    return ArraySlide(pixels, slide.frame.mpp[0], slide.info.path)


def test_a_slide_on_itself_is_right_and_needs_no_deformation(pair: PhantomPair) -> None:
    result = register_slides(pair.fixed, pair.fixed, QUICK)
    assert result.status == "ok"
    assert result.reason.endswith("no deformation needed")
    assert result.stages[-1].note == "no deformation needed"
    assert isinstance(result.transform, Affine)
    points = pair.fixed_landmarks.points_um
    assert np.abs(result.transform(points) - points).max() < 0.2 * pair.fixed.frame.mpp[0]


def test_two_channels_of_one_scan_are_not_bent_to_what_they_do_not_share() -> None:
    pixels = generate_pair(seed=5, size_px=320, mpp=8.0, fixed_stain="IF", landmarks=0).fixed
    image = pixels.read(pixels.frame).pixels.astype(float)
    rng = np.random.default_rng(0)
    shared = image.max(axis=0)
    first = (0.7 * shared + 0.3 * image[0] + rng.normal(0, 20, shared.shape)).clip(0, 65535)
    second = (0.7 * shared + 0.3 * image[1] + rng.normal(0, 20, shared.shape)).clip(0, 65535)
    fixed, moving = (ArraySlide(plane[None].astype(np.uint16)) for plane in (first, second))
    result = register_slides(fixed, moving, QUICK)
    assert result.status == "ok"
    points = fixed.frame.fit(16).centres_um()
    assert np.abs(result.transform(points) - points).max() < 2


def test_a_wrongly_stitched_slide_is_no_ok_and_says_where(
    pair: PhantomPair, tmp_path: Path
) -> None:
    pixels = pair.fixed.read(pair.fixed.frame).pixels
    stitched = pixels.copy()
    stitched[:, 120:200] = np.roll(pixels[:, 120:200], 30, axis=2)
    result = register_slides(pair.fixed, with_pixels(pair.fixed, stitched), QUICK)
    assert result.status == "fallback"
    assert "of the tissue would fit better elsewhere" in result.reason
    assert result.misfit is not None
    assert result.misfit.share > 0.05
    assert result.evidence is not None
    assert result.evidence.misfit == result.misfit.share
    result.save(tmp_path)
    assert load(tmp_path).misfit == result.misfit


def test_a_deformation_that_is_needed_is_kept(plain: Registration) -> None:
    assert plain.stages[-1].accepted
    assert "no deformation" not in plain.reason


def test_the_seams_of_both_slides_are_evidence(plain: Registration) -> None:
    assert plain.evidence is not None
    assert np.isfinite(plain.evidence.seam)


@pytest.mark.parametrize("kind", ["16 bits", "float", "grey"])
def test_types_and_channels_of_a_bright_field_make_no_difference(
    pair: PhantomPair, plain: Registration, kind: str
) -> None:
    pixels = pair.moving.read(pair.moving.frame).pixels
    changed = {
        "16 bits": pixels.astype(np.uint16) * 257,
        "float": pixels.astype(np.float32) / 255,
        "grey": pixels.mean(axis=0, keepdims=True).round().astype(np.uint8),
    }[kind]
    other = register_slides(pair.fixed, with_pixels(pair.moving, changed), QUICK)
    assert other.status == plain.status == "ok"
    assert median_error_px(pair, other) < 1.5 * median_error_px(pair, plain) + 0.5


def test_values_that_are_not_finite_are_left_out_and_said(pair: PhantomPair) -> None:
    pixels = pair.fixed.read(pair.fixed.frame).pixels.astype(np.float32) / 255
    pixels[:, 150:153, 100] = np.nan
    pixels[0, 200, 210] = np.inf
    result = register_slides(with_pixels(pair.fixed, pixels), pair.moving, QUICK)
    assert result.status == "ok"
    assert "fixed slide is NaN or infinite" in result.stages[0].note
    assert "moving" not in result.stages[0].note
    assert median_error_px(pair, result) < 3


def test_a_picture_of_few_pixels_promises_little(pair: PhantomPair) -> None:
    tiny = with_pixels(pair.fixed, pair.fixed.read(pair.fixed.frame.fit(16)).pixels)
    result = register_slides(tiny, tiny, QUICK)
    assert result.status != "ok"
    if result.status == "fallback":
        assert result.bound_um >= tiny.frame.mpp[0]


def test_pieces_that_show_nothing_alone_are_no_pieces(pair: PhantomPair) -> None:
    sizes = (16, 12)
    fixed, moving = (
        with_pixels(
            slide, np.moveaxis(cv2.resize(picture, sizes, None, 0, 0, cv2.INTER_AREA), 2, 0)
        )
        for slide in (pair.fixed, pair.moving)
        for picture in [np.moveaxis(slide.read(slide.frame).pixels, 0, -1)]
    )
    result = register_slides(fixed, moving, QUICK.with_options(pieces=True))
    assert result.status != "ok"


@pytest.mark.parametrize("mpp", [14.0, None])
def test_a_rigid_transform_turns_mirrors_and_shifts_only(
    pair: PhantomPair, mpp: float | None
) -> None:
    pixels = pair.fixed.read(pair.fixed.frame).pixels
    turned = np.ascontiguousarray(np.rot90(pixels[:, :, ::-1], axes=(1, 2))[:, 9:, 5:])
    stretched = cv2.resize(np.moveaxis(turned, 0, -1), None, fx=1.03, fy=1.0)
    fixed = ArraySlide(pixels, mpp)
    moving = ArraySlide(np.moveaxis(stretched, -1, 0), mpp)
    result = register_slides(fixed, moving, QUICK.with_transform("rigid"))
    transform = result.transform
    assert isinstance(transform, Affine)
    linear = transform.matrix[:2, :2]
    np.testing.assert_allclose(linear @ linear.T, np.eye(2), atol=1e-5)
    assert transform.flip
    # of a turn about 90 degrees after a mirror, (x, y) come from (y, x)
    points = pair.fixed_landmarks.points_px
    expected = (points[:, ::-1] - [5, 9]) * [1.03, 1]
    found = result.warp_points(points, to="moving")
    assert np.median(np.linalg.norm(found - expected, axis=1)) < 5


def test_a_rigid_start_stays_rigid(pair: PhantomPair) -> None:
    matrix = np.array([[1.1, 0.1, 50], [0, 0.9, -20], [0, 0, 1.0]])
    start = Affine(matrix, pair.fixed.frame.space, pair.fixed.frame.space)
    config = QUICK.with_transform("rigid")
    result = register_slides(pair.fixed, pair.fixed, config, initial_transform=start)
    assert isinstance(result.transform, Affine)
    assert result.transform.scale == pytest.approx(1, abs=1e-6)


def test_a_rigid_transform_needs_both_pixel_sizes_or_none(pair: PhantomPair) -> None:
    bare = ArraySlide(pair.moving.read(pair.moving.frame).pixels, name="bare.png")
    with pytest.raises(InputError, match=r"bare\.png: a rigid transform needs the pixel size"):
        register_slides(pair.fixed, bare, QUICK.with_transform("rigid"))


def test_an_affine_transform_is_one_matrix(pair: PhantomPair, affine: Registration) -> None:
    assert isinstance(affine.transform, Affine)
    assert median_error_px(pair, affine) < 12


def test_a_transform_chooses_the_stages() -> None:
    learned = QUICK.with_stage(LearnedFieldConfig())
    assert [stage.kind for stage in learned.with_transform("affine").stages] == ["search", "affine"]
    assert not learned.with_transform("rigid").pieces
    assert learned.with_transform("deformable") == learned
    stopped = QUICK.without_stage(DeformableConfig)
    assert stopped.with_transform("deformable").stages[-1] == DeformableConfig()
    assert QUICK.with_transform("rigid").with_transform("deformable").is_rigid is False
    assert replace(RegisterConfig(), name="x").with_transform("rigid").name == "x"
    with pytest.raises(InputError, match="no such transform"):
        QUICK.with_transform("projective")


def test_glass_around_one_slide_alone_changes_nothing(
    pair: PhantomPair, affine: Registration
) -> None:
    fixed, corner = put_on_glass(pair.fixed, 3, (0.5, 0.5))
    result = register_slides(fixed, pair.moving, AFFINE)
    warped = result.warp_points(pair.moving_landmarks.points_px) - corner
    expected = pair.fixed_landmarks.points_px
    error = float(np.median(np.linalg.norm(warped - expected, axis=1)))
    assert error < 1.2 * median_error_px(pair, affine) + 0.5
