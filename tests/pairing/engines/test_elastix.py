"""The elastix engine: what it makes of blocks, how it judges itself, and elastix itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import Any

import cv2
import numpy as np
import pytest

from stainbridge.errors import MissingExtraError
from stainbridge.geometry.homography import fit_homography
from stainbridge.geometry.transform import Affine, Projective, Transform
from stainbridge.imaging.image import Image
from stainbridge.pairing.blocks import find_block_transform
from stainbridge.pairing.config import PairingConfig
from stainbridge.pairing.engines import elastix
from stainbridge.pairing.engines.elastix_block import register_block
from stainbridge.phantom.pairs.pair import PhantomPair, generate_pair
from stainbridge.registration.config import RegisterConfig
from stainbridge.registration.result import Registration
from stainbridge.slides.coerce import as_slide
from stainbridge.slides.memory import ArraySlide
from stainbridge.slides.slide import Slide
from stainbridge.types import Field, Mask, Plane

Register = Callable[[Plane, Plane, int, Mask | None], Field | None]
CONFIG = PairingConfig(engine="elastix", blocks=4)
needs_elastix = pytest.mark.skipif(find_spec("itk") is None, reason="needs the extra peers")


@dataclass(frozen=True)
class Pair:
    """Two sections that are drawn once, and their truth."""

    fixed: Slide
    moving: Slide
    generated: PhantomPair

    def median_error_um(self, transform: Transform | None) -> float:
        assert transform is not None
        found = transform(self.generated.fixed_landmarks.points_um)
        missed = found - self.generated.moving_landmarks.points_um
        return float(np.nanmedian(np.hypot(*missed.T)))


@pytest.fixture(scope="module")
def pair() -> Pair:
    drawn = generate_pair(seed=3, size_px=512, mpp=4.0, moving_stain="Ki67", rotation_deg=15.0)
    slides = (
        ArraySlide(image.pixels, space=image.frame.space, stain=image.stain)
        for image in drawn.read()
    )
    return Pair(*slides, drawn)


@pytest.fixture(scope="module")
def initial(pair: Pair) -> Projective:
    """Four points by hand, each a little off."""
    shares = np.array([[0.3, 0.3], [0.7, 0.28], [0.72, 0.7], [0.28, 0.72]])
    points = shares * pair.fixed.frame.size_um
    hand = np.random.default_rng(0).normal(0, 8, (4, 2))
    spaces = (pair.fixed.frame.space, pair.moving.frame.space)
    return fit_homography(points, pair.generated.truth(points) + hand, *spaces).transform


def pretend(monkeypatch: pytest.MonkeyPatch, register: Register) -> None:
    """Put a function in the place of elastix."""
    monkeypatch.setattr(elastix, "check_elastix", lambda: None)
    monkeypatch.setattr(elastix, "register_block", register)


def zeros(fixed: Plane, moving: Plane, spacing_px: int, mask: Mask | None) -> Field:
    height, width = fixed.shape
    return np.zeros((2, height // spacing_px, width // spacing_px), np.float32)


def give_up(fixed: Plane, moving: Plane, spacing_px: int, mask: Mask | None) -> None:
    return None


def test_without_elastix_its_extra_is_named(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    from stainbridge.pairing.engines import elastix_block

    def missing(name: str) -> None:
        raise elastix_block.PackageNotFoundError(name)

    monkeypatch.setattr(elastix_block, "distribution", missing)
    with pytest.raises(MissingExtraError, match=r"itk-elastix.*stainbridge\[peers\]"):
        elastix.align(pair.fixed, pair.moving, CONFIG)


def test_blocks_that_stay_give_the_whole_homography(
    pair: Pair, initial: Projective, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, zeros)
    seen: list[float] = []
    found = elastix.align(
        pair.fixed,
        pair.moving,
        CONFIG,
        initial=initial,
        progress=lambda _, share: seen.append(share),
    )
    assert found.transform is not None
    points = pair.fixed.frame.fit(20).centres_um()
    np.testing.assert_allclose(found.transform(points), initial(points), atol=1e-6)
    assert found.registration is None
    assert seen == sorted(seen)
    assert seen[-1] == 1.0


def test_fields_of_blocks_are_applied_before_the_pre_alignment(
    pair: Pair, initial: Projective, monkeypatch: pytest.MonkeyPatch
) -> None:
    def shift(fixed: Plane, moving: Plane, spacing_px: int, mask: Mask | None) -> Field:
        return zeros(fixed, moving, spacing_px, mask) + np.reshape([2.0, -1.0], (2, 1, 1))

    pretend(monkeypatch, shift)
    config = replace(CONFIG, blocks=1)
    found = elastix.align(pair.fixed, pair.moving, config, initial=initial)
    assert found.transform is not None
    points = pair.fixed.frame.fit(20).centres_um()
    np.testing.assert_allclose(found.transform(points), initial(points + (8, -4)), atol=1e-3)


def test_one_channel_of_aligned_blocks_is_registered(
    pair: Pair, initial: Projective, monkeypatch: pytest.MonkeyPatch
) -> None:
    correlations = []

    def look(fixed: Plane, moving: Plane, spacing_px: int, mask: Mask | None) -> Field:
        assert fixed.shape == moving.shape
        assert mask is None
        correlations.append(np.corrcoef(fixed.ravel(), moving.ravel())[0, 1])
        return zeros(fixed, moving, spacing_px, mask)

    pretend(monkeypatch, look)
    elastix.align(pair.fixed, pair.moving, CONFIG, initial=initial)
    assert len(correlations) == 4
    assert min(correlations) > 0.3


@pytest.mark.parametrize("blend", ["linear", "none"])
def test_a_block_that_fails_stays_and_is_told(
    pair: Pair, initial: Projective, monkeypatch: pytest.MonkeyPatch, blend: str
) -> None:
    pretend(monkeypatch, give_up)
    config = replace(CONFIG, blend=blend)
    found = elastix.align(pair.fixed, pair.moving, config, initial=initial)
    assert found.status == "fallback"
    assert "4 of 4 blocks" in found.reason
    assert found.transform is not None
    points = pair.fixed.frame.fit(20).centres_um()
    np.testing.assert_allclose(found.transform(points), initial(points), atol=1e-6)


def test_folds_are_refused(
    pair: Pair, initial: Projective, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fold(fixed: Plane, moving: Plane, spacing_px: int, mask: Mask | None) -> Field:
        field = zeros(fixed, moving, spacing_px, mask)
        field[0, :, 10:] = -40
        return field

    pretend(monkeypatch, fold)
    found = elastix.align(pair.fixed, pair.moving, CONFIG, initial=initial)
    assert "4 of 4 blocks" in found.reason


def test_blocks_that_make_it_worse_are_doubted(
    pair: Pair, initial: Projective, monkeypatch: pytest.MonkeyPatch
) -> None:
    def drift(fixed: Plane, moving: Plane, spacing_px: int, mask: Mask | None) -> Field:
        return zeros(fixed, moving, spacing_px, mask) + 9

    pretend(monkeypatch, drift)
    found = elastix.align(pair.fixed, pair.moving, CONFIG, initial=initial)
    assert found.status in ("fallback", "failed")
    assert "lower the agreement" in found.reason


def test_a_wrong_pre_alignment_is_failed_without_a_transform(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, zeros)
    turned = np.array([[-1.0, 0, 2048], [0, -1, 2048], [0, 0, 1]])
    wrong = Affine(turned, pair.fixed.frame.space, pair.moving.frame.space)
    found = elastix.align(pair.fixed, pair.moving, CONFIG, initial=wrong)
    assert (found.status, found.transform) == ("failed", None)
    assert found.reason


def test_glass_is_failed_with_its_side(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, zeros)
    glass = as_slide(np.full((200, 200, 3), 240, np.uint8))
    start = Affine(np.eye(3), pair.fixed.frame.space, glass.frame.space)
    found = elastix.align(pair.fixed, glass, CONFIG, initial=start)
    assert (found.status, found.reason) == ("failed", "no tissue found on the moving slide")


def test_masks_leave_out_blocks_and_reach_elastix(
    pair: Pair, initial: Projective, monkeypatch: pytest.MonkeyPatch
) -> None:
    masks = []

    def look(fixed: Plane, moving: Plane, spacing_px: int, mask: Mask | None) -> Field:
        masks.append(mask)
        return zeros(fixed, moving, spacing_px, mask)

    pretend(monkeypatch, look)
    frame = pair.fixed.frame.fit(128)
    left = np.zeros((1, frame.height, frame.width), np.uint8)
    left[:, :, : frame.width // 3] = 1
    mask = Image(left, frame, np.ones(left.shape[1:], bool))
    elastix.align(pair.fixed, pair.moving, CONFIG, initial=initial, masks=(mask, None))
    assert len(masks) == 2  # the left blocks
    for seen in masks:
        assert seen is not None
        assert 0.1 < seen.mean() < 0.8


def test_without_points_by_hand_a_failed_registration_is_a_failed_alignment(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(fixed: Slide, moving: Slide, config: RegisterConfig, **rest: Any) -> Registration:
        kinds = [stage.kind for stage in config.stages]
        assert (kinds, config.seed) == (["search", "affine"], 7)
        nan = float("nan")
        return Registration(
            fixed.frame, moving.frame, "failed", "no overlap", (), 1.0, nan, 7, config.to_dict()
        )

    pretend(monkeypatch, zeros)
    monkeypatch.setattr(elastix, "register_slides", fail)
    found = elastix.align(pair.fixed, pair.moving, replace(CONFIG, seed=7))
    assert (found.transform, found.status, found.reason) == (None, "failed", "no overlap")
    assert found.registration is not None


@pytest.mark.slow
def test_no_points_by_hand_means_our_own_affine_alignment(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, zeros)
    config = replace(CONFIG, preset="fast")
    found = elastix.align(pair.fixed, pair.moving, config)
    assert found.registration is not None
    assert {stage.name for stage in found.registration.stages} <= {"prepare", "search", "affine"}
    assert found.status == "ok", found.reason
    assert pair.median_error_um(found.transform) < 0.02 * pair.fixed.frame.diagonal_um


def test_hard_blocks_leave_gaps(
    pair: Pair, initial: Projective, monkeypatch: pytest.MonkeyPatch
) -> None:
    def part(fixed: Plane, moving: Plane, spacing_px: int, mask: Mask | None) -> Field:
        return zeros(fixed, moving, spacing_px, mask) + 1.5

    pretend(monkeypatch, part)
    config = replace(CONFIG, blend="none")
    found = elastix.align(pair.fixed, pair.moving, config, initial=initial)
    assert found.transform is not None
    assert find_block_transform(found.transform) is not None
    nowhere = np.isnan(found.transform(pair.fixed.frame.fit(256).centres_um())).any(axis=1)
    assert 0 < nowhere.mean() < 0.05


@needs_elastix
@pytest.mark.slow
def test_elastix_finds_a_known_field() -> None:
    generator = np.random.default_rng(0)
    picture = cv2.GaussianBlur(generator.normal(size=(320, 256)).astype(np.float32), (0, 0), 5)
    moving = np.asarray(255 * (picture - picture.min()) / np.ptp(picture), np.float32)
    y, x = np.mgrid[:320, :256].astype(np.float32)
    truth = np.stack([3 + 2 * np.sin(y / 50), 2 * np.cos(x / 60)]).astype(np.float32)
    fixed = cv2.remap(moving, x + truth[0], y + truth[1], cv2.INTER_LINEAR)
    field = register_block(fixed, moving, 8)
    assert field is not None
    assert field.shape == (2, 40, 32)
    at_nodes = truth.reshape(2, 40, 8, 32, 8).mean(axis=(2, 4))
    assert np.median(np.hypot(*(field - at_nodes)[:, 2:-2, 2:-2])) < 0.5
    again = register_block(fixed, moving, 8)
    assert again is not None
    assert again.tobytes() == field.tobytes()


@needs_elastix
def test_elastix_gives_up_where_there_is_nothing() -> None:
    empty = np.zeros((64, 64), bool)
    flat = np.full((64, 64), 200, np.float32)
    assert register_block(flat, flat, 8, empty) is None


@needs_elastix
@pytest.mark.slow
@pytest.mark.parametrize("blend", ["linear", "none"])
def test_elastix_brings_generated_sections_closer(
    pair: Pair, initial: Projective, blend: str
) -> None:
    config = replace(CONFIG, blend=blend)
    found = elastix.align(pair.fixed, pair.moving, config, initial=initial)
    assert found.status in ("ok", "fallback"), found.reason
    assert pair.median_error_um(found.transform) < 0.5 * pair.median_error_um(initial)
