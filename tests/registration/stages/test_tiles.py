"""Refinement in tiles finds what an alignment of whole slides cannot see."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from stainbridge.errors import InputError
from stainbridge.geometry.transform import Affine, Chain
from stainbridge.imaging.image import Image
from stainbridge.registration.config import DeformableConfig, RegisterConfig, TileRefinementConfig
from stainbridge.registration.pipeline import register_slides
from stainbridge.registration.stages.tiles import CloseUp
from stainbridge.slides.memory import ArraySlide

SIZE = 1200
CONFIG = TileRefinementConfig(longest_px=1200, tile_px=512, blend_px=32)


def shift_px(
    x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], ...]:
    """Return a shift of up to 5 px, (dx, dy), too fine for the overview."""
    return 4 * np.sin(x / 70) + 2 * np.cos(y / 90), 4 * np.cos((x + y) / 95)


def draw_slide(deformed: bool) -> ArraySlide:
    """Draw nuclei on a pale disc of stroma on glass, 3 x 1200 x 1200.

    Deformed, it shows at x what the plain one shows at x − shift.
    """
    rng = np.random.default_rng(5)
    picture = np.full((SIZE, SIZE, 3), 244, np.uint8)
    cv2.circle(picture, (600, 600), 520, (225, 190, 214), -1)
    for x, y, radius, grey in zip(
        *rng.integers(120, 1080, (2, 4200)),
        rng.integers(2, 6, 4200),
        rng.integers(70, 150, 4200),
        strict=True,
    ):
        if np.hypot(x - 600, y - 600) < 500:
            cv2.circle(
                picture,
                (int(x), int(y)),
                int(radius),
                (int(grey) + 20, int(grey) - 30, int(grey) + 50),
                -1,
            )
    picture = cv2.GaussianBlur(picture, (0, 0), 1.0)
    if deformed:
        x, y = np.meshgrid(np.arange(SIZE, dtype=np.float64), np.arange(SIZE, dtype=np.float64))
        dx, dy = shift_px(x, y)
        picture = cv2.remap(
            picture,
            (x - dx).astype(np.float32),
            (y - dy).astype(np.float32),
            cv2.INTER_LINEAR,
            borderValue=(244,) * 3,
        )
    pixels = np.ascontiguousarray(np.moveaxis(picture, -1, 0))
    return ArraySlide(pixels, name="moving" if deformed else "fixed")


@pytest.fixture(scope="module")
def fixed() -> ArraySlide:
    return draw_slide(deformed=False)


@pytest.fixture(scope="module")
def moving() -> ArraySlide:
    return draw_slide(deformed=True)


def test_a_fine_deformation_is_found_from_a_rough_alignment(
    fixed: ArraySlide, moving: ArraySlide
) -> None:
    rough = Affine(np.eye(3), fixed.frame.space, moving.frame.space)
    close_up = CloseUp.read(fixed, moving, CONFIG)
    fractions: list[float] = []
    field = close_up.refine(rough, 2, fractions.append)
    assert fractions[-1] == 1.0
    rows, columns = np.mgrid[0:SIZE:20, 0:SIZE:20]
    inside = np.hypot(columns - 600, rows - 600) < 470
    points = np.c_[columns[inside], rows[inside]].astype(float)
    # a fixed point x is found in the moving picture where x' − shift(x') = x
    truth = points.copy()
    for _ in range(30):
        truth = points + np.stack(shift_px(truth[:, 0], truth[:, 1]), -1)
    before = np.hypot(*(truth - points).T)
    after = np.hypot(*(field(points + 0.5) - 0.5 - truth).T)
    assert np.median(before) > 3.0
    assert np.median(after) < 0.35
    assert np.quantile(after, 0.95) < 1.0
    assert close_up.score(Chain((field, rough))) > 1.5 * close_up.score(rough)


@pytest.mark.slow
def test_the_stage_is_accepted_where_edges_agree_better(
    fixed: ArraySlide, moving: ArraySlide
) -> None:
    fast = RegisterConfig.preset("fast").with_stage(CONFIG)
    config = replace(fast, allow_flip=False, max_rotation_deg=20.0, second_search=None)
    record = register_slides(fixed, moving, config).stages[-1]
    assert record.name == "tiles"
    assert record.accepted
    assert record.score_after > record.score_before
    # whatever came before it
    affine_only = config.without_stage(DeformableConfig)
    assert register_slides(fixed, moving, affine_only).stages[-1].accepted
    idle = affine_only.with_stage(replace(CONFIG, steps=(0, 0, 0)))
    record = register_slides(fixed, moving, idle).stages[-1]
    assert record.name == "tiles"
    assert not record.accepted
    assert "no better than what came before" in record.note


def test_masks_hold_in_tiles(fixed: ArraySlide, moving: ArraySlide) -> None:
    pixels = np.repeat([[1, 0]], 2, 0)[None].astype(np.uint8)
    left = Image(pixels, fixed.frame.fit(2), np.ones((2, 2), bool))
    close_up = CloseUp.read(fixed, moving, CONFIG, (left, None))
    identity = Affine(np.eye(3), fixed.frame.space, moving.frame.space)
    for x, tissue_shown in ((300, (True, True)), (700, (False, True))):
        pictures = close_up.read_pair(identity, fixed.frame.crop(x, 500, 200, 200))
        assert tuple(bool(picture.mean() > 0.2) for picture in pictures) == tissue_shown


def test_less_than_a_tile_is_refused() -> None:
    with pytest.raises(InputError, match="less than one tile"):
        TileRefinementConfig(longest_px=500, tile_px=512)
