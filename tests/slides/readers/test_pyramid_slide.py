"""Reading frames: which pixels come from where, whatever the format."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from tests.conftest import Array, Sample, texture

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame, Space
from stainbridge.slides import ArraySlide, open_slide
from stainbridge.slides.readers import pyramid_slide as base_module

RAMP = (0.7, 0.4, 5.0)  # value = x·0.7 + y·0.4 + 5 at level-0 coordinates


def ramp_slide(height: int = 300, width: int = 410, mpp: float | None = 0.5) -> ArraySlide:
    """One float channel, linear in position."""
    y, x = np.mgrid[:height, :width] + 0.5
    return ArraySlide((RAMP[0] * x + RAMP[1] * y + RAMP[2])[None].astype(np.float32), mpp)


def ramp_at(frame: Frame, mpp: float) -> Array:
    """The ramp at the pixel centres of `frame`, (H, W)."""
    points = frame.centres_um() / mpp
    return (points @ RAMP[:2] + RAMP[2]).reshape(frame.height, frame.width)


def test_whole_pixel_crops_are_the_stored_pixels(sample: Sample) -> None:
    with open_slide(sample.path) as slide:
        for i, frame in enumerate(slide.levels[: len(sample.levels)]):
            whole = slide.read(frame).pixels
            x, y, width, height = (
                frame.width // 3,
                frame.height // 4,
                frame.width // 2,
                frame.height // 3,
            )
            part = slide.read(frame.crop(x, y, width, height))
            np.testing.assert_array_equal(part.pixels, whole[:, y : y + height, x : x + width])
            assert part.valid.all()
            if not sample.lossy:
                np.testing.assert_array_equal(np.moveaxis(whole, 0, -1), sample.levels[i])


@pytest.mark.parametrize("mpp", [0.6, 0.75, 1.0, 1.37, 2.9, 7.3, 0.2])
@pytest.mark.parametrize("offset", [(0.0, 0.0), (20.3, 31.7)])
def test_a_linear_ramp_is_sampled_at_the_exact_place(
    mpp: float, offset: tuple[float, float]
) -> None:
    slide = ramp_slide()
    frame = replace(
        slide.frame.at_mpp(mpp).crop(0, 0, 10, 8), origin_um=(60 + offset[0], 30 + offset[1])
    )
    np.testing.assert_allclose(slide.read(frame).pixels[0], ramp_at(frame, 0.5), atol=2e-3)


@given(
    step=st.floats(0.3, 9.0),
    origin=st.tuples(st.floats(-40, 190), st.floats(-40, 140)),
    crop=st.tuples(st.integers(0, 20), st.integers(0, 15), st.integers(1, 20), st.integers(1, 15)),
)
@settings(max_examples=60, deadline=None)
def test_a_read_of_a_crop_is_the_crop_of_a_read(
    step: float, origin: tuple[float, float], crop: tuple[int, int, int, int]
) -> None:
    slide = ArraySlide(np.moveaxis(texture(300, 410, 3), -1, 0), 0.5)
    frame = Frame(
        Space("array", 30, 40, (0.5 * step, 0.5 * step)), 30, 40, (0.5 * step, 0.5 * step), origin
    )
    whole = slide.read(frame)
    part = slide.read(frame.crop(*crop))
    x, y, width, height = crop
    expected = whole.pixels[:, y : y + height, x : x + width].astype(int)
    np.testing.assert_array_equal(part.valid, whole.valid[y : y + height, x : x + width])
    assert (
        np.abs(part.pixels - expected).max() <= 1
    )  # sums of products round alike up to the last bit
    assert (part.pixels != expected).mean() < 0.01


def test_reading_in_blocks_changes_nothing(
    samples: dict[str, Sample], monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_slide(samples["raw strips"].path) as slide:
        frame = slide.frame.at_mpp(1.31)
        whole = slide.read(frame).pixels
        monkeypatch.setattr(base_module, "BLOCK_BYTES", 1)
        blocks = slide.read(frame).pixels
    assert np.abs(whole.astype(int) - blocks).max() <= 1
    assert (whole != blocks).mean() < 1e-3


def test_outside_is_background_and_not_valid(samples: dict[str, Sample]) -> None:
    for name, background in (("plain pyramid", 255), ("ome fluorescence", 0)):
        with open_slide(samples[name].path) as slide:
            image = slide.read(slide.frame.crop(-7, -5, 20, 30))
            assert not image.valid[:5].any()
            assert not image.valid[:, :7].any()
            assert image.valid[5:, 7:].all()
            assert (image.pixels[:, ~image.valid] == background).all()
            inside = np.moveaxis(image.pixels, 0, -1)[5:, 7:]
            np.testing.assert_array_equal(inside, samples[name].levels[0][:25, :13])
            far = slide.read(slide.frame.crop(10_000, 10_000, 4, 4))
            assert not far.valid.any()
            assert (far.pixels == background).all()


def test_valid_follows_pixel_centres() -> None:
    slide = ArraySlide(np.zeros((1, 10, 10), np.uint8))
    frame = Frame(Space("array", 1, 12, (1.0, 1.0)), 1, 12, (1.0, 1.0), (-0.6, 4.0))
    assert slide.read(frame).valid[0].tolist() == [False] + [True] * 10 + [False]


def test_the_whole_extent_at_any_size_is_valid(sample: Sample) -> None:
    with open_slide(sample.path) as slide:
        for longest in (5, 37, 64, 101, 350):
            assert slide.read(slide.frame.fit(longest)).valid.all()


def test_finer_detail_than_a_pixel_averages_out_instead_of_aliasing() -> None:
    stripes = np.tile(np.array([0, 255], np.uint8), (1, 512, 256))
    slide = ArraySlide(stripes)
    for mpp in (1.9, 2.0, 3.1, 5.7, 11.3):
        inner = slide.read(slide.frame.at_mpp(mpp)).pixels[:, 3:-3, 3:-3].astype(float)
        assert np.abs(inner - 127.5).max() < 20
        assert abs(inner.mean() - 127.5) < 1


@pytest.mark.parametrize("step", [0.4, 1.0, 1.25, 1.9, 2.0, 3.3, 6.0])
def test_resampling_agrees_with_pillows_bicubic(picture: Array, step: float) -> None:
    width = int(700 / step)
    height = int(500 / step)
    box = (30.25, 40.5, 30.25 + width * step, 40.5 + height * step)
    expected = np.asarray(
        Image.fromarray(picture).resize((width, height), Image.Resampling.BICUBIC, box=box)
    )
    slide = ArraySlide(np.moveaxis(picture, -1, 0))
    slide._levels = slide.levels[:1]  # what is resampled is level 0 on both sides
    ours = slide.read(
        Frame(Space("array", height, width, (step, step)), height, width, (step, step), box[:2])
    ).pixels
    assert np.abs(np.moveaxis(ours, 0, -1).astype(int) - expected).mean() < (
        0.35 if step < 4 else 1.0
    )


def test_a_constant_stays_constant_in_every_type() -> None:
    for dtype in (
        np.uint8,
        np.uint16,
        np.int8,
        np.int16,
        np.int32,
        np.uint32,
        np.float32,
        np.float64,
    ):
        slide = ArraySlide(np.full((2, 90, 130), 101, dtype))
        image = slide.read(slide.frame.at_mpp(3.7))
        assert image.pixels.dtype == dtype
        np.testing.assert_allclose(image.pixels, 101, rtol=1e-6)


def test_the_coarsest_level_that_is_fine_enough_is_read(
    samples: dict[str, Sample], monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_slide(samples["plain pyramid"].path) as slide:
        read: list[int] = []
        region = slide._region  # type: ignore[attr-defined]

        def spy(level: int, *box: int) -> Array:
            read.append(level)
            return np.asarray(region(level, *box))

        monkeypatch.setattr(slide, "_region", spy)
        for mpp, level in (
            (0.25, 0),
            (0.2, 0),
            (0.49, 0),
            (0.499, 1),
            (0.5, 1),
            (0.9, 1),
            (1.2, 2),
            (40.0, 3),
        ):
            read.clear()
            slide.read(Frame(Space("x", 4, 4, (mpp, mpp)), 4, 4, (mpp, mpp), (10.0, 10.0)))
            assert set(read) == {level}
        slide.read(Frame(Space("x", 4, 4, (40.0, 0.25)), 4, 4, (40.0, 0.25), (10.0, 10.0)))
        assert read[-1] == 0


def test_levels_show_the_same_place(sample: Sample) -> None:
    with open_slide(sample.path) as slide:
        whole = slide.frame
        frame = Space(
            "a level", whole.height // 4, whole.width // 4, (4 * whole.mpp[0], 4 * whole.mpp[1])
        ).frame
        coarse = slide.read(frame).pixels.astype(float)
        fine = slide.read(slide.frame).pixels.astype(float)
        height = frame.height - 1
        width = frame.width - 1
        means = (
            fine[:, : 4 * height, : 4 * width].reshape(-1, height, 4, width, 4).mean(axis=(2, 4))
        )
        ours = coarse[:, :height, :width]
        assert np.abs(ours - means).mean() < 0.1 * ours.std()


def test_absurd_frames_are_refused_before_memory_is_taken() -> None:
    slide = ArraySlide(np.zeros((3, 8, 8), np.uint8))
    with pytest.raises(InputError, match="GiB"):
        slide.read(Space("x", 10**6, 10**6).frame)
