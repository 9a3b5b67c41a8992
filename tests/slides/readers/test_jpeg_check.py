"""Coded data of a JPEG that do not fit its picture are damage; padding is none."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from stainbridge.errors import InputError
from stainbridge.slides import open_slide
from stainbridge.slides.readers.jpeg_check import (
    decode_undamaged,
    find_jpeg_damage,
    find_lost_data,
)
from stainbridge.types import Pixels

END = b"\xff\xd9"


def encode(pixels: Pixels, quality: int = 90, *, subsampling: int = 2) -> bytes:
    file = BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality, subsampling=subsampling)
    return file.getvalue()


def decode(data: bytes) -> Pixels:
    return np.atleast_3d(np.asarray(Image.open(BytesIO(data))))


def draw(kind: str, height: int, width: int, seed: int) -> Pixels:
    rng = np.random.default_rng(seed)
    noise = rng.integers(0, 255, (height, width, 3))
    made = {
        "noise": noise,
        "faint": 120 + noise // 16,
        "flat": np.full((height, width, 3), seed % 256),
        "grey": np.full((height, width, 3), 128),
        "ramp": np.broadcast_to((np.arange(width) % 256)[None, :, None], (height, width, 3)),
        "smooth": np.repeat(
            np.repeat(rng.integers(0, 255, (height // 10 + 1, width // 10 + 1, 3)), 10, 0), 10, 1
        )[:height, :width]
        + rng.integers(0, 9, (height, width, 3)),
        "half": np.where(np.arange(height)[:, None, None] < height // 2, noise, 255),
    }
    return np.ascontiguousarray(made[kind]).astype(np.uint8)


@given(
    kind=st.sampled_from(["noise", "faint", "flat", "grey", "ramp", "half", "smooth"]),
    height=st.integers(8, 120),
    width=st.integers(8, 120),
    quality=st.sampled_from([10, 50, 75, 90, 95]),
    subsampling=st.sampled_from([0, 1, 2]),
    seed=st.integers(0, 999),
)
@settings(deadline=None, max_examples=80)
def test_a_whole_picture_is_not_damaged(
    kind: str, height: int, width: int, quality: int, subsampling: int, seed: int
) -> None:
    data = encode(draw(kind, height, width, seed), quality, subsampling=subsampling)
    assert find_lost_data(data, decode(data), decode) is None
    assert find_jpeg_damage(data, decode(data), decode) is None


@given(
    kind=st.sampled_from(["noise", "faint", "ramp", "half", "smooth"]),
    height=st.integers(8, 120),
    width=st.integers(8, 120),
    quality=st.sampled_from([10, 50, 75, 90, 95]),
    subsampling=st.sampled_from([0, 1, 2]),
    seed=st.integers(0, 999),
)
@settings(deadline=None, max_examples=80)
def test_one_decoding_that_finds_no_damage_gives_the_same_pixels(
    kind: str, height: int, width: int, quality: int, subsampling: int, seed: int
) -> None:
    data = encode(draw(kind, height, width, seed), quality, subsampling=subsampling)
    pixels = decode_undamaged(data, None)
    assert pixels is not None or kind == "faint"
    if pixels is not None:
        np.testing.assert_array_equal(pixels, imagecodecs.jpeg8_decode(data))


def test_one_decoding_leaves_other_kinds_and_damage_to_a_closer_look() -> None:
    pixels = draw("noise", 90, 100, 3)
    data = encode(pixels)
    assert decode_undamaged(data, None) is not None
    body = data[: -len(END)]
    grey = encode(pixels[..., 0])
    rgb = imagecodecs.jpeg8_encode(pixels, level=90, colorspace="rgb", outcolorspace="rgb")
    for other in (body[:-30] + END, body + bytes(range(1, 80, 2)) + END, grey, rgb):
        assert decode_undamaged(other, None) is None


@pytest.mark.parametrize("kind", ["noise", "faint", "ramp", "half"])
def test_coded_data_that_are_left_are_damage_and_padding_is_not(kind: str) -> None:
    data = encode(draw(kind, 90, 100, 3))
    body = data[: -len(END)]
    left = bytes(range(1, 80, 2))
    longer = body + left + END
    assert find_lost_data(longer, decode(longer), decode) == "data is missing"
    for padding in (bytes(60), b"\xff" * 60):
        padded = body + padding + END
        assert find_lost_data(padded, decode(padded), decode) is None


def lose_bytes(data: bytes, rng: np.random.Generator) -> bytes:
    """Return a JPEG that has lost 5 to 80 bytes amid its data."""
    count = int(rng.integers(5, 80))
    at = int(rng.integers(700, len(data) - 200))
    return data[:at] + data[at + count :]


def has_damage(data: bytes) -> bool:
    try:
        picture = decode(data)
    except OSError:
        return True
    damages = (find(data, picture, decode) for find in (find_jpeg_damage, find_lost_data))
    return any(damages)


# As many as libjpeg-turbo's own strict mode notices; others are read as just as many blocks.
@pytest.mark.parametrize(
    ("kind", "subsampling", "least"),
    [("noise", 0, 28), ("noise", 2, 25), ("half", 0, 24), ("half", 2, 24), ("smooth", 0, 15)],
)
def test_bytes_lost_in_the_middle_are_noticed(kind: str, subsampling: int, least: int) -> None:
    data = encode(draw(kind, 200, 260, 0), subsampling=subsampling)
    rng = np.random.default_rng(0)
    assert sum(has_damage(lose_bytes(data, rng)) for _ in range(40)) >= least


@pytest.mark.parametrize("count", [1, 2, 5, 9, 20])
def test_a_few_bytes_lost_at_the_end_are_noticed(count: int) -> None:
    data = encode(draw("noise", 80, 90, 1))
    assert has_damage(data[: -len(END) - count] + END)


def test_coded_data_that_another_marker_breaks_off_are_damage() -> None:
    data = encode(draw("noise", 80, 90, 1))
    broken = data[:3000] + b"\xff\xe7\x00\x04ab" + data[3000:]
    assert find_jpeg_damage(broken, decode(broken), decode) == "data is missing"


@pytest.mark.parametrize("black", ["last row", "all"])
def test_a_black_end_is_not_taken_for_missing(black: str) -> None:
    pixels = draw("noise", 64, 64, 2)
    pixels[(0 if black == "all" else -16) :] = 0
    data = encode(pixels, 95, subsampling=0)
    assert find_jpeg_damage(data, decode(data), decode) is None


TILES: dict[str, dict[str, Any]] = {
    "ycbcr tiles": {"tile": (64, 64), "compression": "jpeg"},
    "rgb tiles": {
        "tile": (64, 64),
        "compression": "jpeg",
        "compressionargs": {"outcolorspace": "rgb"},
    },
    "strips": {"rowsperstrip": 32, "compression": "jpeg"},
}


@pytest.mark.parametrize("layout", TILES)
def test_a_tile_that_lost_bytes_is_named(tmp_path: Path, layout: str) -> None:
    path = tmp_path / "a.tif"
    pixels = draw("smooth", 128, 128, 4)
    tifffile.imwrite(path, pixels, photometric="rgb", **TILES[layout])
    whole = path.read_bytes()
    with tifffile.TiffFile(path) as tif:
        start, count = tif.pages[0].dataoffsets[1], tif.pages[0].databytecounts[1]
    with open_slide(path) as slide:
        slide.read(slide.frame)
    rng = np.random.default_rng(0)
    errors = []
    for _ in range(30):
        lost = int(rng.integers(5, 80))
        at = start + int(rng.integers(count // 3, count - 100))
        # what follows moves up, and the end of the tile is left as it was
        kept = whole[at + lost : start + count]
        path.write_bytes(whole[:at] + kept + bytes(lost) + whole[start + count :])
        with open_slide(path) as slide:
            try:
                slide.read(slide.frame)
            except InputError as error:
                errors.append(str(error))
    assert len(errors) >= 10
    assert all("tile at column" in error for error in errors)


def test_a_tile_cut_short_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, draw("half", 128, 128, 4), photometric="rgb", **TILES["ycbcr tiles"])
    with tifffile.TiffFile(path, mode="r+b") as tif:
        counts = tif.pages[0].tags["TileByteCounts"]
        counts.overwrite([counts.value[0] * 2 // 3, *counts.value[1:]])
    with open_slide(path) as slide, pytest.raises(InputError, match="tile at column 0, row 0"):
        slide.read(slide.frame)
