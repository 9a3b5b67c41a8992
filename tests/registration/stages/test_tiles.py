"""Refinement in tiles finds what a whole-slide alignment cannot see, and says by how much edges
agree better.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from stainbridge.errors import InputError
from stainbridge.geometry.transform import Affine, Chain
from stainbridge.imaging.image import Image
from stainbridge.registration.config import RegisterConfig, TilesConfig
from stainbridge.registration.pipeline import register_slides
from stainbridge.registration.stages.tiles import CloseUp
from stainbridge.slides.memory import ArraySlide
from stainbridge.types import Mask

SIZE = 1200
CONFIG = TilesConfig(longest_px=1200, tile_px=512, blend_px=32)


def shift_px(
    x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], ...]:
    """A bend of up to 5 px, too fine for the overview."""
    return 4 * np.sin(x / 70) + 2 * np.cos(y / 90), 4 * np.cos((x + y) / 95)


def tissue(bent: bool) -> ArraySlide:
    """Nuclei on a pale disc of stroma on bare glass, 3 x 1200 x 1200; bent: at x the straight one's
    x − shift.
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
    if bent:
        x, y = np.meshgrid(np.arange(SIZE, dtype=np.float64), np.arange(SIZE, dtype=np.float64))
        dx, dy = shift_px(x, y)
        picture = cv2.remap(
            picture,
            (x - dx).astype(np.float32),
            (y - dy).astype(np.float32),
            cv2.INTER_LINEAR,
            borderValue=(244,) * 3,
        )
    return ArraySlide(
        np.ascontiguousarray(np.moveaxis(picture, -1, 0)), name="moving" if bent else "fixed"
    )


def inside() -> Mask:
    y, x = np.mgrid[0:SIZE:20, 0:SIZE:20]
    return np.asarray(np.hypot(x - 600, y - 600) < 470)


def test_a_fine_bend_is_found_from_a_rough_alignment() -> None:
    fixed, moving = tissue(False), tissue(True)
    rough = Affine(np.eye(3), fixed.frame.space, moving.frame.space)
    view = CloseUp.of(fixed, moving, CONFIG)
    seen: list[float] = []
    field = view.refined(rough, 2, seen.append)
    assert seen[-1] == 1.0
    y, x = (axis[inside()].astype(float) for axis in np.mgrid[0:SIZE:20, 0:SIZE:20])
    # a fixed point x is found in the moving picture where x' − shift(x') = x
    there = np.c_[x, y]
    for _ in range(30):
        there = np.c_[x, y] + np.stack(shift_px(there[:, 0], there[:, 1]), -1)
    before = np.hypot(*(there - np.c_[x, y]).T)
    after = np.hypot(*(field(np.c_[x, y] + 0.5) - 0.5 - there).T)
    assert np.median(before) > 3.0
    assert np.median(after) < 0.35
    assert np.quantile(after, 0.95) < 1.0
    assert view.score(Chain((field, rough))) > 1.5 * view.score(rough)


def test_it_is_a_stage_that_is_kept_where_edges_agree_better() -> None:
    fixed, moving = tissue(False), tissue(True)
    config = replace(
        RegisterConfig.preset("fast"), tiles=CONFIG, allow_flip=False, max_rotation_deg=20.0
    )
    stage = register_slides(fixed, moving, config).stages[-1]
    assert stage.name == "tiles"
    assert stage.accepted
    assert stage.score_after > stage.score_before
    affine_only = replace(config, deformable=None)
    assert (
        register_slides(fixed, moving, affine_only).stages[-1].accepted
    )  # whatever came before it
    again = register_slides(
        fixed, moving, replace(affine_only, tiles=replace(CONFIG, steps=(0, 0, 0)))
    ).stages[-1]
    assert not again.accepted
    assert "no better" in again.note


def test_masks_hold_in_tiles() -> None:
    fixed, moving = tissue(False), tissue(True)
    left = Image(
        np.repeat([[1, 0]], 2, 0)[None].astype(np.uint8), fixed.frame.fit(2), np.ones((2, 2), bool)
    )
    view = CloseUp.of(fixed, moving, CONFIG, (left, None))
    for x, seen in ((300, (True, True)), (700, (False, True))):
        pictures = view.pictures(
            Affine(np.eye(3), fixed.frame.space, moving.frame.space),
            fixed.frame.crop(x, 500, 200, 200),
        )
        assert tuple(bool(picture.mean() > 0.2) for picture in pictures) == seen


def test_less_than_a_tile_is_refused() -> None:
    with pytest.raises(InputError, match="less than one tile"):
        TilesConfig(longest_px=500, tile_px=512)
