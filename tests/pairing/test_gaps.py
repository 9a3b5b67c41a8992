"""Gaps between hard blocks are painted over, everything else is left as it is."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from stainbridge.geometry.frame import Space
from stainbridge.geometry.transform import Affine, Chain
from stainbridge.imaging.image import Image
from stainbridge.pairing.blocks import BlockPlan, BlockTransform
from stainbridge.pairing.gaps import paint_gaps, warp_moving
from stainbridge.slides.coerce import as_slide
from stainbridge.slides.slide import Slide
from stainbridge.slides.warped import WarpedSlide

SIZE = 320


def make_slide() -> Slide:
    rows = np.arange(SIZE)[:, None, None]
    picture = np.broadcast_to(40 + rows // 2 + [0, 20, 40], (SIZE, SIZE, 3)).astype(np.uint8)
    return as_slide(np.ascontiguousarray(picture))


def make_transform(moving: Slide, *, shift: float = 12) -> tuple[BlockTransform, Chain]:
    """Two blocks that part by `shift` pixels on both sides of their seam."""
    fixed = Space("he", SIZE, SIZE, (1, 1)).frame
    plan = BlockPlan.choose(fixed, 2, mpp=1, longest_px=2048, spacing_px=8, overlap=False)
    fields = []
    for sign, index in zip((1, -1), plan, strict=True):
        nodes = plan.nodes(*index)
        field = np.zeros((2, nodes.height, nodes.width), np.float32)
        field[0] = sign * shift
        fields.append(field)
    blocks = plan.cut(fields, shows_gaps=True)
    move = Affine(np.eye(3), fixed.space, moving.frame.space)
    return blocks, Chain((blocks, move))


def test_a_gap_is_painted_from_its_surroundings() -> None:
    moving = make_slide()
    blocks, transform = make_transform(moving)
    fixed = blocks.source.frame
    warped = warp_moving(moving, transform)
    image = warped.read(fixed)
    hole = ~np.isfinite(blocks(fixed.centres_um())).all(axis=1).reshape(SIZE, SIZE)
    assert 0.05 < hole.mean() < 0.1
    assert image.valid.all()
    exact = moving.read(moving.frame).pixels  # its rows are of one colour, and the gap upright
    assert np.abs(image.pixels[:, hole].astype(int) - exact[:, hole]).max() < 12


def test_pixels_beside_gaps_stay() -> None:
    moving = make_slide()
    _, transform = make_transform(moving)
    frame = transform.source.frame
    bare = WarpedSlide(moving, transform).read(frame)
    painted = paint_gaps(bare, transform)
    assert not bare.valid.all()
    assert (bare.pixels[:, ~bare.valid] == 255).all()
    np.testing.assert_array_equal(painted.pixels[:, bare.valid], bare.pixels[:, bare.valid])
    assert (painted.pixels[:, ~bare.valid] < 255).all()


def test_what_lies_beyond_the_slide_is_no_gap() -> None:
    moving = make_slide()
    blocks, _ = make_transform(moving, shift=0)
    away = Affine(
        np.array([[1, 0, 100.0], [0, 1, 0], [0, 0, 1]]), blocks.source, moving.frame.space
    )
    image = warp_moving(moving, blocks.then(away)).read(blocks.source.frame)
    assert not image.valid[:, -99:].any()
    assert image.valid[:, :-101].all()
    assert (image.pixels[:, :, -99:] == 255).all()


def test_whole_transforms_are_read_without_a_detour() -> None:
    moving = make_slide()
    move = Affine(np.eye(3), Space("he", SIZE, SIZE, (1, 1)), moving.frame.space)
    assert type(warp_moving(moving, move)).__name__ == "WarpedSlide"


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_other_channels_are_painted_one_by_one(dtype: str) -> None:
    moving = make_slide()
    blocks, _ = make_transform(moving)
    frame = blocks.source.frame
    gaps = ~np.isfinite(blocks(frame.centres_um())).all(axis=1).reshape(SIZE, SIZE)
    pixels = np.stack([np.full((SIZE, SIZE), value, dtype) for value in (10, 200)])
    pixels[:, gaps] = 0
    painted = paint_gaps(Image(pixels, frame, ~gaps), blocks)
    assert painted.pixels.dtype == dtype
    assert np.abs(painted.pixels[0].astype(float) - 10).max() <= 1
    assert np.abs(painted.pixels[1].astype(float) - 200).max() <= 2


def test_a_painted_slide_pickles() -> None:
    moving = make_slide()
    _, transform = make_transform(moving)
    warped = warp_moving(moving, transform)
    frame = transform.source.frame.crop(130, 130, 64, 64)
    copy = pickle.loads(pickle.dumps(warped))
    np.testing.assert_array_equal(copy.read(frame).pixels, warped.read(frame).pixels)
