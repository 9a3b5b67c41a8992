"""Blocks cover a slide, their fields blend without a seam, or are cut hard and leave gaps."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from stainbridge.errors import InputError, StainbridgeError
from stainbridge.geometry.frame import Frame, Space
from stainbridge.geometry.transform import Affine
from stainbridge.pairing.blocks import BlockPlan, close_gaps, find_block_transform
from stainbridge.pairing.config import PairingConfig
from stainbridge.types import Field

SLIDE = Space("he", 1000, 1300, (0.5, 0.5)).frame


def plan(slide: Frame = SLIDE, blocks: int = 16, *, overlap: bool = True) -> BlockPlan:
    return BlockPlan.choose(slide, blocks, mpp=1.0, longest_px=2048, spacing_px=8, overlap=overlap)


def constant_fields(blocks: BlockPlan, values: list[tuple[float, float]]) -> list[Field]:
    fields = []
    for index, value in zip(blocks, values, strict=True):
        nodes = blocks.nodes(*index)
        shape = (2, nodes.height, nodes.width)
        fields.append(np.broadcast_to(np.reshape(value, (2, 1, 1)), shape).astype(np.float32))
    return fields


@pytest.mark.parametrize(
    ("height", "width", "blocks", "expected"),
    [
        (1000, 1300, 16, (4, 4)),
        (1000, 4000, 16, (2, 8)),
        (4000, 1000, 16, (8, 2)),
        (1000, 1000, 1, (1, 1)),
        (900, 1400, 6, (2, 3)),
        (1000, 1000, 7, (7, 1)),
    ],
)
def test_blocks_are_as_square_as_can_be(
    height: int, width: int, blocks: int, expected: tuple[int, int]
) -> None:
    grid = plan(Space("he", height, width, (1, 1)).frame, blocks).grid
    assert (grid.down.count, grid.across.count) in (expected, expected[::-1])
    if height != width:
        assert (grid.down.count, grid.across.count) == expected


def test_blocks_cover_the_slide_once_where_they_do_not_overlap() -> None:
    blocks = plan(overlap=False)
    seen = np.zeros((blocks.view.height + 64, blocks.view.width + 64), int)
    for index in blocks:
        frame = blocks.frame(*index)
        x, y = np.round(np.divide(frame.origin_um, frame.mpp)).astype(int)
        seen[y : y + frame.height, x : x + frame.width] += 1
        assert frame.height % 8 == frame.width % 8 == 0
    assert (seen[: blocks.view.height, : blocks.view.width] == 1).all()


def test_overlapping_blocks_share_a_quarter_of_their_side() -> None:
    blocks = plan()
    first, second = (blocks.frame(0, column) for column in (1, 2))
    shared_um = first.origin_um[0] + first.size_um[0] - second.origin_um[0]
    assert shared_um / (blocks.grid.across.stride * first.mpp[0]) == pytest.approx(0.25, abs=0.05)


def test_large_blocks_are_worked_on_coarsely() -> None:
    slide = Space("he", 40_000, 40_000, (0.25, 0.25)).frame
    fine = BlockPlan.choose(slide, 16, mpp=0.25, longest_px=2048, spacing_px=8, overlap=False)
    assert fine.frame(0, 0).height <= 2048 + 8
    assert fine.view.mpp[0] == pytest.approx(10_000 / 4 / 2048, rel=0.01)
    coarse = BlockPlan.choose(slide, 16, mpp=8.0, longest_px=2048, spacing_px=8, overlap=False)
    assert coarse.view.mpp[0] == pytest.approx(8.0, rel=0.01)


def test_fields_of_one_map_blend_into_that_map() -> None:
    blocks = plan()
    fields = []
    for index in blocks:
        nodes = blocks.nodes(*index)
        wave = 20 * np.sin(nodes.centres_um() / 60).T.reshape(2, nodes.height, nodes.width)
        fields.append(wave.astype(np.float32))
    field = blocks.blend(fields)
    np.testing.assert_allclose(
        field.displacement.reshape(2, -1).T, 20 * np.sin(field.grid.centres_um() / 60), atol=1e-3
    )
    assert (field.grid.contains(SLIDE.corners_um - np.sign(SLIDE.corners_um))).all()


def test_unlike_neighbours_blend_without_a_jump() -> None:
    blocks = plan(blocks=2)
    field = blocks.blend(constant_fields(blocks, [(0, 0), (40, 0)]))
    across = field.displacement[0, 10]
    assert across[0] == 0
    assert across[-1] == pytest.approx(40)
    assert 0 < np.abs(np.diff(across)).max() < 40 / 4


def test_blocks_err_by_what_they_disagree_by_near_where_they_overlap() -> None:
    blocks = plan(blocks=3)
    rng = np.random.default_rng(0)
    fields = constant_fields(blocks, [(0, 0), (0, 0), (30, 40)])
    error = blocks.measure_error(fields)
    across = error.error_um[error.grid.height // 2]
    third = len(across) // 3
    assert across[: third // 2].max() < 8
    assert across[-1] == pytest.approx(50 / np.sqrt(2), rel=0.02)
    rough = [rng.normal(0, 3, field.shape).astype(np.float32) for field in fields]
    assert blocks.measure_error(rough).measure(SLIDE) == pytest.approx(3 * np.sqrt(2), rel=0.2)


def test_hard_blocks_keep_their_own_fields_up_to_the_seam() -> None:
    blocks = plan(blocks=2, overlap=False)
    transform = blocks.cut(constant_fields(blocks, [(0, 0), (5, 3)]), shows_gaps=True)
    seam = blocks.frame(0, 1).origin_um[0]
    points = np.array([[seam - 0.01, 100], [seam + 0.01, 100.0]])
    np.testing.assert_allclose(transform(points) - points, [[0, 0], [5, 3]], atol=1e-6)


def test_what_leaves_its_block_is_a_gap() -> None:
    blocks = plan(blocks=2, overlap=False)
    seam = blocks.frame(0, 1).origin_um[0]
    points = np.array([[seam + 1, 100], [seam + 5.5, 100], [seam - 1, 100]])
    fields = constant_fields(blocks, [(0, 0), (-5, 0)])
    gaping = blocks.cut(fields, shows_gaps=True)
    assert np.isfinite(gaping(points)).all(axis=1).tolist() == [False, True, True]
    closed = blocks.cut(fields, shows_gaps=False)
    np.testing.assert_allclose(closed(points) - points, [[-5, 0], [-5, 0], [0, 0]], atol=1e-6)
    np.testing.assert_array_equal(close_gaps(gaping)(points), closed(points))
    move = Affine(np.diag([2.0, 2.0, 1.0]), SLIDE.space, SLIDE.space)
    np.testing.assert_array_equal(close_gaps(gaping.then(move))(points), 2 * closed(points))
    assert close_gaps(move) is move
    assert find_block_transform(gaping) is gaping
    assert find_block_transform(closed) is None


def test_hard_blocks_have_no_inverse_and_pickle() -> None:
    blocks = plan(overlap=False)
    values = [(float(n), 0.0) for n in range(16)]
    transform = blocks.cut(constant_fields(blocks, values), shows_gaps=False)
    with pytest.raises(StainbridgeError, match="no inverse"):
        transform.inverse()
    points = SLIDE.fit(20).centres_um()
    copy = pickle.loads(pickle.dumps(transform))
    np.testing.assert_array_equal(copy(points), transform(points))
    wanted = [(int(y // 125) * 4 + int(x // 163)) for x, y in points]
    near_seam = (np.abs(points / (164, 128) % 1 - 0.5) > 0.4).any(axis=1)
    got = (transform(points) - points)[:, 0].round().astype(int)
    assert (got == wanted)[~near_seam].mean() > 0.95


def test_blocks_must_be_positive() -> None:
    with pytest.raises(InputError, match="blocks out of range"):
        PairingConfig(blocks=0)
