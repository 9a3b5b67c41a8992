"""Many threads reading one slide, and the cache they share."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import pytest
from tests.conftest import Array, Sample

from stainbridge.slides import open_slide
from stainbridge.slides.readers.tile_cache import TileCache


def test_threads_read_what_one_reads(sample: Sample) -> None:
    generator = np.random.default_rng(0)
    with open_slide(sample.path) as slide:
        frames = []
        for _ in range(120):
            level = slide.levels[generator.integers(len(slide.levels))]
            x = generator.integers(-20, level.width)
            y = generator.integers(-20, level.height)
            frame = level.crop(
                int(x), int(y), int(generator.integers(1, 200)), int(generator.integers(1, 200))
            )
            frames.append(
                frame
                if generator.random() < 0.6
                else frame.at_mpp(frame.mpp[0] * generator.uniform(0.6, 3))
            )
        alone = [slide.read(frame).pixels.copy() for frame in frames]
    with open_slide(sample.path) as slide, ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda frame: slide.read(frame).pixels, frames))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other)


def tile(value: int) -> Array:
    return np.full((10, 10, 1), value, np.uint8)


def test_the_cache_holds_no_more_than_its_budget() -> None:
    decoded: list[int] = []

    def decode(value: int) -> Array:
        decoded.append(value)
        return tile(value)

    cache = TileCache(300)
    for value in (0, 1, 2, 0, 3, 0, 1):  # 3 pushes out 1, unused for longest
        assert cache.get(value, lambda value=value: decode(value))[0, 0, 0] == value
    assert decoded == [0, 1, 2, 3, 1]


def test_a_tile_larger_than_the_budget_is_still_served() -> None:
    cache = TileCache(10)
    assert cache.get("a", lambda: tile(1)).sum() == 100
    assert cache.get("b", lambda: tile(2)).sum() == 200


def test_a_tile_wanted_by_many_is_decoded_once() -> None:
    calls: list[int] = []
    barrier = Barrier(6)

    def decode() -> Array:
        calls.append(1)
        return tile(1)

    def read(_: int) -> int:
        barrier.wait()
        return int(cache.get("x", decode).sum())

    cache = TileCache(1000)
    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(read, range(6))) == [100] * 6
    assert len(calls) == 1


def test_an_error_is_raised_and_forgotten() -> None:
    cache = TileCache(1000)

    def fail() -> Array:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        cache.get("x", fail)
    assert cache.get("x", lambda: tile(3))[0, 0, 0] == 3


def test_shared_tiles_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="read-only"):
        TileCache(1000).get("x", lambda: tile(0))[0, 0, 0] = 1
