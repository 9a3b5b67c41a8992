from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise, product
from pathlib import Path
from threading import Barrier

import cv2
import numpy as np
import pytest
import tifffile
from tests.slides.memory_slide import MemorySlide, draw_texture

from stainbridge.errors import InputError
from stainbridge.geometry.flat import is_flat
from stainbridge.geometry.frame import Frame, Space
from stainbridge.geometry.piecewise import PieceRegion, Piecewise, TransformedPiece
from stainbridge.geometry.transform import Affine, Chain, DisplacementField
from stainbridge.geometry.warp import find_output_frame, warp_array
from stainbridge.imaging.image import Image
from stainbridge.slides.slide import Channel, Slide, read_shared
from stainbridge.slides.warped import WarpedSlide, estimate_scale
from stainbridge.slides.writing.write import write_slide

FIXED = Space("fixed", 700, 900, (0.25, 0.25)).frame


def make_similarity(
    moving: Frame, degrees: float, scale: float = 1.0, fixed: Frame = FIXED
) -> Affine:
    a = np.deg2rad(degrees)
    matrix = np.eye(3)
    matrix[:2, :2] = scale * np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
    matrix[:2, 2] = moving.centre_um - matrix[:2, :2] @ fixed.centre_um
    return Affine(matrix, fixed.space, moving.space)


def make_deformation(moving: Frame, degrees: float) -> Chain:
    grid = FIXED.fit(30)
    rng = np.random.default_rng(1)
    noise = np.stack(
        [cv2.GaussianBlur(rng.normal(size=(grid.height, grid.width)), (0, 0), 3) for _ in range(2)]
    )
    field = (6 * noise / np.abs(noise).max()).astype(np.float32)
    return Chain(
        (DisplacementField(field, grid, FIXED.space, FIXED.space), make_similarity(moving, degrees))
    )


def test_a_warped_slide_is_a_slide() -> None:
    slide = MemorySlide(draw_texture(3, 400, 500), factors=(1, 4))
    warped = WarpedSlide(slide, make_similarity(slide.frame, 0))
    assert isinstance(warped, Slide)
    assert warped.frame == FIXED
    assert warped.stain == "HE"
    assert warped.info.is_rgb
    with warped:
        pass
    assert slide.closed


def test_pixels_are_those_of_warping_the_whole_array() -> None:
    slide = MemorySlide(draw_texture(3, 800, 700), mpp=(0.3, 0.3))
    chain = make_deformation(slide.frame, 25)
    image = WarpedSlide(slide, chain).read(FIXED)
    expected, valid = warp_array(slide.pixels, slide.frame, chain, FIXED, background=255)
    np.testing.assert_array_equal(image.pixels, expected)
    np.testing.assert_array_equal(image.valid, valid)
    assert image.frame == FIXED
    assert not valid.all()
    assert (image.pixels[:, ~valid] == 255).all()


def test_the_identity_changes_nothing_through_writing_and_back(tmp_path: Path) -> None:
    pixels = draw_texture(2, 700, 900, np.uint16)
    slide = MemorySlide(pixels, mpp=(0.2527, 0.2527), channels=(Channel("a"), Channel("b")))
    warped = WarpedSlide(slide, Affine(np.eye(3), slide.frame.space, slide.frame.space))
    write_slide(warped, tmp_path / "a.ome.tiff", tile=128, threads=2)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "a.ome.tiff"), pixels)


def test_tiled_reads_equal_a_whole_read_whatever_the_threads() -> None:
    slide = MemorySlide(draw_texture(3, 800, 700), mpp=(0.3, 0.3))
    warped = WarpedSlide(slide, make_deformation(slide.frame, -65))
    whole = warped.read(FIXED)
    places = list(product(range(0, 700, 70), range(0, 900, 90)))
    barrier = Barrier(4)

    def read(place: tuple[int, int]) -> Image:
        if place in places[:4]:
            barrier.wait(10)
        return warped.read(FIXED.crop(place[1], place[0], 90, 70))

    with ThreadPoolExecutor(4) as pool:
        tiles = list(pool.map(read, places))
    for (y, x), tile in zip(places, tiles, strict=True):
        np.testing.assert_array_equal(tile.pixels, whole.pixels[:, y : y + 70, x : x + 90])
        np.testing.assert_array_equal(tile.valid, whole.valid[y : y + 70, x : x + 90])


def test_coarse_reads_are_anti_aliased() -> None:
    """A checkerboard of single pixels is grey from afar, not moiré."""
    board = (np.indices((1024, 1024)).sum(axis=0) % 2 * 255).astype(np.uint8)
    slide = MemorySlide(np.stack([board] * 3), mpp=(0.25, 0.25))
    fixed = slide.frame
    warped = WarpedSlide(slide, make_similarity(slide.frame, 30, fixed=fixed))
    image = warped.read(fixed.at_mpp(2.0))
    inside = cv2.erode(image.valid.astype(np.uint8), np.ones((5, 5))).astype(bool)
    assert inside.sum() > 5000
    assert np.abs(image.pixels[:, inside].astype(int) - 127).max() <= 3


@pytest.mark.parametrize(
    ("mpp", "scale", "expected"),
    [
        (0.25, 1.0, 0.25),
        (0.1, 1.0, 0.25),
        (1.0, 1.0, 1.0),
        (0.99, 1.0, 0.5),
        (1.9, 1.0, 1.0),
        (2.0, 1.0, 2.0),
    ]
    + [(0.5, 2.0, 1.0), (2.0, 0.5, 1.0), (4.1, 1.0, 4.0), (8.0, 1.0, 8.0)],
)
def test_the_level_follows_the_local_scale(mpp: float, scale: float, expected: float) -> None:
    slide = MemorySlide(draw_texture(3, 640, 640), mpp=(0.25, 0.25), factors=(1, 4, 16))
    warped = WarpedSlide(slide, make_similarity(slide.frame, 77, scale))
    assert warped.choose_source_grid((mpp, mpp)).mpp[0] == pytest.approx(expected, rel=1e-6)


def test_a_warped_slide_can_be_warped() -> None:
    slide = MemorySlide(draw_texture(3, 700, 700), mpp=(0.25, 0.25))
    there = make_similarity(slide.frame, 20)
    twice = WarpedSlide(WarpedSlide(slide, there), there.inverse(), slide.frame)
    window = slide.frame.crop(250, 250, 200, 200)
    # Two linear interpolations blur a little; anything misplaced would differ by far more.
    difference = np.abs(twice.read(window).pixels.astype(int) - slide.pixels[:, 250:450, 250:450])
    assert difference.mean() < 2
    assert difference.max() < 25


def test_labels_come_from_stored_pixels_only() -> None:
    labels = np.random.default_rng(0).choice([0, 7, 4_000_000_000], (1, 300, 300)).astype(np.uint32)
    slide = MemorySlide(labels, mpp=(0.25, 0.25), channels=(Channel("labels"),))
    warped = WarpedSlide(slide, make_similarity(slide.frame, 30), interpolation="nearest")
    for mpp in (0.25, 3.0):
        assert set(np.unique(warped.read(FIXED.at_mpp(mpp)).pixels)) == {0, 7, 4_000_000_000}


@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0])
def test_levels_follow_the_moving_slides(scale: float) -> None:
    slide = MemorySlide(draw_texture(3, 640, 640), mpp=(0.25, 0.25), factors=(1, 4, 16))
    levels = WarpedSlide(slide, make_similarity(slide.frame, 10, scale)).levels
    assert levels[0] == FIXED
    assert all(a.width > b.width for a, b in pairwise(levels))
    wanted = [m / scale for m in (0.25, 1.0, 4.0) if m / scale > 0.375]
    assert [level.mpp[0] for level in levels[1:]] == pytest.approx(wanted, rel=0.05)


def test_crops_keep_their_place_in_the_fixed_space() -> None:
    slide = MemorySlide(draw_texture(3, 400, 400), mpp=(0.25, 0.25))
    turn = make_similarity(slide.frame, 20)
    whole = WarpedSlide(slide, turn).read(FIXED)
    frame = find_output_frame(turn, FIXED, slide.frame, "overlap")
    part = WarpedSlide(slide, turn, frame)
    image = part.read(part.frame)
    x, y = np.round(np.divide(frame.origin_um, frame.mpp)).astype(int)
    np.testing.assert_array_equal(
        image.pixels, whole.pixels[:, y : y + frame.height, x : x + frame.width]
    )
    assert image.valid.sum() == whole.valid.sum()


def test_tiles_outside_the_moving_slide_read_nothing(tmp_path: Path) -> None:
    slide = MemorySlide(draw_texture(3, 100, 100), mpp=(0.25, 0.25))
    shift = Affine(np.eye(3), FIXED.space, slide.frame.space)
    write_slide(WarpedSlide(slide, shift), tmp_path / "a.tiff", file_format="tiff", tile=64)
    assert len(slide.reads) == 4  # of 165 tiles
    with tifffile.TiffFile(tmp_path / "a.tiff") as file:
        assert len(set(file.pages.first.dataoffsets)) == 5


def test_holes_of_the_source_stay_invalid() -> None:
    hole = np.zeros((300, 300), bool)
    hole[100:150, 120:200] = True
    slide = MemorySlide(draw_texture(3, 300, 300), mpp=(0.25, 0.25), hole=hole)
    image = WarpedSlide(slide, Affine(np.eye(3), slide.frame.space, slide.frame.space)).read(
        slide.frame
    )
    np.testing.assert_array_equal(image.valid, ~hole)
    assert (image.pixels[:, hole] == 255).all()


def test_what_is_read_can_be_written_into_and_glass_takes_no_memory() -> None:
    slide = MemorySlide(np.full((3, 90, 90), 243, np.uint8))
    warped = WarpedSlide(slide, Affine(np.eye(3), slide.frame.space, slide.frame.space))
    pixels = warped.read(slide.frame).pixels
    pixels[:, 2, 3] = 0
    shared = read_shared(warped, slide.frame).pixels
    assert is_flat(np.moveaxis(shared, 0, -1))
    assert (shared == 243).all()


def test_a_failed_read_is_raised_and_tried_again() -> None:
    class Flaky(MemorySlide):
        def read(self, frame: Frame) -> Image:
            if not self.reads:
                self.reads.append(frame)
                raise InputError("unreadable tile", where="broken.svs")
            return super().read(frame)

    slide = Flaky(draw_texture(3, 90, 90))
    warped = WarpedSlide(slide, Affine(np.eye(3), slide.frame.space, slide.frame.space))
    with pytest.raises(InputError, match="unreadable tile"):
        warped.read(slide.frame)
    np.testing.assert_array_equal(warped.read(slide.frame).pixels, slide.pixels)


def test_the_typical_scale_is_that_of_the_map() -> None:
    moving = Space("m", 500, 500).frame
    assert estimate_scale(make_similarity(moving, 33, 1.7), FIXED) == pytest.approx(1.7)
    assert estimate_scale(make_deformation(moving, 33), FIXED) == pytest.approx(1.0, rel=0.1)


def test_the_typical_scale_of_pieces_is_that_of_their_tissue() -> None:
    """Glass between pieces is drawn together: it says nothing of how fine to read."""
    moving = Space("m", 500, 500).frame
    transform = make_similarity(moving, 33, 1.7)
    pieces = [mark_square(FIXED, 20, 20), mark_square(FIXED, 640, 840)]
    others = [mark_square(moving, 20, 20), mark_square(moving, 440, 440)]
    joined = Piecewise(
        tuple(TransformedPiece(transform, *pair) for pair in zip(pieces, others, strict=True))
    )
    assert estimate_scale(joined, FIXED) == pytest.approx(1.7)


def mark_square(frame: Frame, top: int, left: int) -> PieceRegion:
    mask = np.zeros((frame.height, frame.width), bool)
    mask[top : top + 40, left : left + 40] = True
    return PieceRegion(mask, frame)


def test_a_transform_to_a_single_point_is_an_input_error() -> None:
    field = -np.moveaxis(FIXED.centres_um().reshape(700, 900, 2), -1, 0).astype(np.float32)
    slide = MemorySlide(draw_texture(3, 90, 90))
    with pytest.raises(InputError, match="to nothing"):
        WarpedSlide(slide, DisplacementField(field, FIXED, FIXED.space, slide.frame.space))
