"""Coded data of a JPEG that nothing is made of are damage; padding is none."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from stainbridge.slides.readers.jpeg_check import find_unread_data
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
        "half": np.where(np.arange(height)[:, None, None] < height // 2, noise, 255),
    }
    return np.ascontiguousarray(made[kind]).astype(np.uint8)


@given(
    kind=st.sampled_from(["noise", "faint", "flat", "grey", "ramp", "half"]),
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
    assert find_unread_data(data, decode(data), decode) is None


@pytest.mark.parametrize("kind", ["noise", "faint", "ramp", "half"])
def test_coded_data_that_are_left_are_damage_and_padding_is_not(kind: str) -> None:
    data = encode(draw(kind, 90, 100, 3))
    body = data[: -len(END)]
    left = bytes(range(1, 80, 2))
    longer = body + left + END
    assert find_unread_data(longer, decode(longer), decode) == "data is missing"
    for padding in (bytes(60), b"\xff" * 60):
        padded = body + padding + END
        assert find_unread_data(padded, decode(padded), decode) is None


def test_bytes_lost_in_the_middle_leave_data_over() -> None:
    data = encode(draw("noise", 200, 260, 0))
    rng = np.random.default_rng(0)
    noticed = 0
    for _ in range(40):
        count = int(rng.integers(5, 80))
        at = int(rng.integers(700, len(data) - 200))
        cut = data[:at] + data[at + count :]
        noticed += find_unread_data(cut, decode(cut), decode) is not None
    assert noticed >= 15
