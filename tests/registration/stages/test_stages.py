"""Each stage recovers a known transform."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, map_coordinates

from stainbridge.geometry.frame import Space
from stainbridge.geometry.transform import Affine
from stainbridge.imaging.image import Image
from stainbridge.registration.config import AffineConfig, DeformableConfig, SearchConfig
from stainbridge.registration.sections.section import Section, section_of_image
from stainbridge.registration.stages.affine import WORTH_SHARING, ranked, refine
from stainbridge.registration.stages.deformable import agreed, deform
from stainbridge.registration.stages.search import Hypothesis, search
from stainbridge.registration.verdict.verification import folded_share, similarity, verify
from stainbridge.types import Matrix

SIZE = 384


def picture(seed: int = 0) -> np.ndarray:
    """A blob of tissue with structure at several scales and no symmetry, (3, H, W) uint8 on white."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:SIZE, :SIZE] / SIZE - 0.5
    angle = np.arctan2(y, x)
    outline = np.hypot(x, y) < 0.3 + 0.05 * np.cos(angle) + 0.04 * np.sin(
        2 * angle + 1
    ) + 0.03 * np.cos(3 * angle)
    texture = sum(s * gaussian_filter(rng.normal(size=(SIZE, SIZE)), s) for s in (2.0, 5.0, 14.0))
    texture = 0.5 + 0.22 * texture / texture.std()
    density = np.clip(texture, 0.08, 1.2) * gaussian_filter(outline.astype(float), 1)
    absorb = np.array([0.6, 1.0, 0.5])[:, None, None]
    return np.asarray(np.clip(245 * np.exp(-absorb * density), 0, 255), np.uint8)


def section(pixels: np.ndarray, name: str, calibrated: bool = False) -> Section:
    frame = Space(name, pixels.shape[1], pixels.shape[2], calibrated=calibrated).frame
    made = section_of_image(Image(pixels, frame, np.ones(pixels.shape[1:], bool)))
    assert made is not None
    return made


def warped(pixels: np.ndarray, matrix: Matrix, size: int) -> np.ndarray:
    """The picture at `matrix` (moving from fixed), on white, (3, size, size)."""
    centred = matrix.copy()
    centred[:2, 2] += matrix[:2, :2] @ [0.5, 0.5] - 0.5
    planes = [cv2.warpAffine(p, centred[:2], (size, size), borderValue=245.0) for p in pixels]
    return np.stack(planes)


def motion(degrees: float, flip: bool, scale: float, size: int) -> Matrix:
    """A similarity that keeps the middle of the picture in the middle of a canvas of `size`."""
    cos, sin = scale * np.cos(np.radians(degrees)), scale * np.sin(np.radians(degrees))
    linear = np.array([[cos, -sin], [sin, cos]]) @ np.diag([-1.0 if flip else 1.0, 1.0])
    matrix = np.eye(3)
    matrix[:2, :2] = linear
    matrix[:2, 2] = np.array([size / 2 + 9, size / 2 - 14]) - linear @ [SIZE / 2, SIZE / 2]
    return matrix


def error_px(found: Matrix, true: Matrix) -> float:
    points = np.array([[100, 120, 1], [280, 130, 1], [270, 280, 1], [110, 270, 1.0]]).T
    return float(np.abs((found @ points - true @ points)[:2]).max())


@pytest.mark.parametrize(
    ("degrees", "flip", "scale"),
    [(140, True, 1.0), (-75, False, 0.62), (33, False, 1.6), (180, True, 1.3)],
)
def test_search_finds_any_rotation_flip_and_scale_and_refinement_sharpens_it(
    degrees: float, flip: bool, scale: float
) -> None:
    size = int(SIZE * max(1.0, scale))
    true = motion(degrees, flip, scale, size)
    fixed, moving = section(picture(), "fixed"), section(warped(picture(), true, size), "moving")
    starts = search(fixed, moving, SearchConfig())
    assert min(error_px(start.matrix, true) for start in starts) < 0.08 * size
    best = refine(
        fixed, moving, starts, AffineConfig(sizes_px=(128, 256), keep=(4, 1), steps=(40, 40))
    )[0]
    assert error_px(best.matrix, true) < 1.0


def test_search_obeys_its_limits() -> None:
    fixed, moving = (
        section(picture(), "fixed"),
        section(warped(picture(), motion(140, True, 1, SIZE), SIZE), "moving"),
    )
    for start in search(fixed, moving, SearchConfig(), flips=(False,), max_rotation_deg=30):
        found = Affine(start.matrix, fixed.frame.space, moving.frame.space)
        assert not found.flip
        assert abs(found.rotation_deg) <= 30 + 1e-6


def test_known_pixel_sizes_limit_the_scales_tried() -> None:
    fixed, moving = (section(picture(), name, calibrated=True) for name in ("fixed", "moving"))
    scales = [
        Affine(s.matrix, fixed.frame.space, moving.frame.space).scale
        for s in search(fixed, moving, SearchConfig())
    ]
    assert 0.85 < min(scales) <= max(scales) < 1.2


def test_a_known_bend_is_recovered_without_folds() -> None:
    y, x = np.mgrid[:SIZE, :SIZE].astype(float)
    bend = np.stack([5 * np.sin(y / 55), 6 * np.cos(x / 70)])
    pixels = picture()
    moving_pixels = np.stack(
        [map_coordinates(p, [y - bend[1], x - bend[0]], order=1, cval=245) for p in pixels]
    )
    fixed, moving = section(pixels, "fixed"), section(moving_pixels, "moving")
    start = Affine(np.eye(3), fixed.frame.space, moving.frame.space)
    found = deform(fixed, moving, start, DeformableConfig(sizes_px=(128, 256, 384)))
    field = found.field
    points = fixed.frame.centres_um()[fixed.region.ravel()][::97]
    # moving(q) = fixed(q - bend(q)): a fixed point p is seen where q - bend(q) = p.
    q = points.copy()
    for _ in range(20):
        q = points + np.stack(
            [5 * np.sin((q[:, 1] - 0.5) / 55), 6 * np.cos((q[:, 0] - 0.5) / 70)], 1
        )
    before, after = np.linalg.norm(points - q, axis=1), np.linalg.norm(field(points) - q, axis=1)
    assert np.median(after) < 0.5 < 3 < np.median(before)
    assert folded_share(field, fixed.frame) == 0
    assert 0 < found.disagreement_um < 1


def test_a_bend_far_beyond_texture_needs_matches() -> None:
    y, x = np.mgrid[:SIZE, :SIZE].astype(float)
    pixels = picture()
    bent = [
        map_coordinates(p, [y - 24 * np.cos(x / 60), x - 24 * np.sin(y / 60)], order=1, cval=245)
        for p in pixels
    ]
    fixed, moving = section(pixels, "fixed"), section(np.stack(bent), "moving")
    points = fixed.frame.centres_um()[fixed.region.ravel()][::97]
    q = points.copy()
    for _ in range(50):  # moving(q) = fixed(q - bend(q))
        q = (
            q
            + points
            + 24 * np.stack([np.sin((q[:, 1] - 0.5) / 60), np.cos((q[:, 0] - 0.5) / 60)], 1)
        ) / 2
    start = Affine(np.eye(3), fixed.frame.space, moving.frame.space)
    config = DeformableConfig(sizes_px=(128, 256), steps=(40, 40), symmetric=False)
    without = replace(config, matching=None)
    near, far = (
        np.linalg.norm(deform(fixed, moving, start, c).field(points) - q, axis=1)
        for c in (without, config)
    )
    assert np.median(far) < 0.5 < 10 < np.median(near)


def test_where_the_directions_part_the_forward_one_stands() -> None:
    distance = np.ones((60, 80))
    distance[20:30, 40:50] = 30.0
    weight = agreed(distance, 1.0)
    assert weight[20:30, 40:50].max() < 0.5
    assert weight[25, 45] < 0.02
    assert weight[:, :25].min() > 0.99
    assert np.abs(np.diff(weight, axis=0)).max() < 0.25  # no steps, which would fold
    assert agreed(np.ones((60, 80)), 1.0).min() > 0.99


def test_verification_tells_the_right_place_from_a_wrong_one() -> None:
    fixed, moving = section(picture(), "fixed"), section(picture(), "moving")
    right = verify(fixed, moving, Affine(np.eye(3), fixed.frame.space, moving.frame.space))
    wrong = verify(
        fixed, moving, Affine(motion(70, False, 1, SIZE), fixed.frame.space, moving.frame.space)
    )
    assert right.sharpness > 8 > 3 > wrong.sharpness
    assert right.score > wrong.score
    assert right.overlap > 0.99


@pytest.mark.parametrize("shift", [(0.5, 0.0), (0.5, 0.5), (0.25, 0.5)])
def test_verification_does_not_prefer_maps_that_hit_whole_pixels(
    shift: tuple[float, float],
) -> None:
    """The same tissue scanned on another grid: a twin of the fixed one, `shift` pixels of
    verification off.
    """
    rng, side = np.random.default_rng(1), 1024  # of which verification sees a quarter
    fine = gaussian_filter(rng.normal(size=(side, side)), 3.0)
    fine = np.clip(120 + 40 * fine / fine.std(), 0, 240)
    step = np.array(shift) * 4
    rows, columns = np.mgrid[:side, :side].astype(float)
    scanned = map_coordinates(fine, [rows + step[1], columns + step[0]], order=3, mode="reflect")
    one, other = (
        section(np.stack([p] * 3).round().astype(np.uint8), n)
        for p, n in ((fine, "a"), (scanned, "b"))
    )
    back = np.eye(3)
    back[:2, 2] = -step
    apart, together = (
        Affine(back, one.frame.space, other.frame.space),
        Affine(np.eye(3), one.frame.space, one.frame.space),
    )
    assert similarity(one, other, apart) > similarity(one, one, together) - 0.04


def test_refinement_returns_its_survivors_best_first() -> None:
    fixed = section(picture(), "fixed")
    starts = [Hypothesis(motion(angle, False, 1, SIZE), 0.0) for angle in (0.0, 90.0)]
    best = refine(fixed, fixed, starts, AffineConfig(sizes_px=(96,), steps=(5,), keep=(2,)))
    assert [len(best), best[0].score > best[1].score] == [2, True]


def test_a_second_round_climbs_from_variations_too_and_a_stretched_start_comes_back() -> None:
    fixed = section(picture(), "fixed")
    stretched = Hypothesis(np.diag([1.12, 1 / 1.12, 1.0]), 0.0)
    config = AffineConfig(sizes_px=(64, 96, 128), steps=(5, 20, 20), keep=(1, 2, 1), varied=1)
    (found,) = refine(fixed, fixed, [stretched], config)
    corners = np.c_[fixed.frame.corners_um, np.ones(4)]
    assert np.abs(corners @ (found.matrix - np.eye(3)).T).max() < 1.5


def test_many_starts_are_ranked_as_they_are() -> None:
    fixed = section(picture(), "fixed")
    starts = [
        Hypothesis(motion(angle, flip, 1, SIZE), 0.0)
        for angle in range(-170, 190, 20)
        for flip in (False, True)
    ]
    near = Hypothesis(np.array([[1.0, 0.04, -6.0], [-0.04, 1.0, 8.0], [0, 0, 1]]), 0.0)
    best = ranked(fixed, fixed, [*starts, near, near], 3)
    assert len(best) == 3
    np.testing.assert_allclose(best[0].matrix, near.matrix, atol=1e-9)
    assert [item.score for item in best] == sorted((item.score for item in best), reverse=True)
    assert np.abs(best[1].matrix - near.matrix).max() > 1  # the same start twice is one


def test_any_number_of_threads_gives_the_same_answer() -> None:
    fixed = section(picture(), "fixed")
    config = SearchConfig(angles=12, scales=3)
    one, other = search(fixed, fixed, config), search(fixed, fixed, config, threads=3)
    for first, second in zip(one, other, strict=True):
        np.testing.assert_array_equal(first.matrix, second.matrix)
    starts, climb = one[:16], AffineConfig(sizes_px=(96,), steps=(5,), keep=(3,))
    assert len(starts) * 96**2 >= WORTH_SHARING
    for first, second in zip(
        *(refine(fixed, fixed, starts, climb, threads) for threads in (1, 2)), strict=True
    ):
        np.testing.assert_allclose(first.matrix, second.matrix, atol=1e-4)
