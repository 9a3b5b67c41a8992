"""Directories of a TIFF that form loops or are too many are refused before they are followed."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from stainbridge.errors import InputError
from stainbridge.slides import open_slide
from stainbridge.slides.readers import tiff_guard

PIXELS = bytes(64)
FIRST = 8 + len(PIXELS)


def entry(tag: int, kind: int, count: int, value: int, order: str) -> bytes:
    return struct.pack(order + "HHII", tag, kind, count, value)


def directory(next_one: int, order: str = "<", sub: tuple[int, int] | None = None) -> bytes:
    tags = [(256, 8), (257, 8), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1), (278, 8)]
    entries = [entry(tag, 4, 1, value, order) for tag, value in [*tags, (279, 64)]]
    if sub is not None:
        entries.append(entry(330, 4, *sub, order))
    return (
        struct.pack(order + "H", len(entries))
        + b"".join(entries)
        + struct.pack(order + "I", next_one)
    )


SIZE = len(directory(0))


def chain(count: int, last: int, order: str = "<") -> bytes:
    """Return a TIFF of `count` pages, the last of which is followed by page `last`; -1: none."""
    head = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, FIRST)
    following = [FIRST + SIZE * number for number in range(1, count)]
    following.append(0 if last < 0 else FIRST + SIZE * last)
    return head + PIXELS + b"".join(directory(offset, order) for offset in following)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 400), st.floats(0, 0.99), st.sampled_from("<>"))
def test_every_chain_that_closes_is_refused(
    tmp_path_factory: pytest.TempPathFactory, count: int, share: float, order: str
) -> None:
    path = tmp_path_factory.mktemp("chain") / "loop.tif"
    path.write_bytes(chain(count, int(count * share), order))
    with pytest.raises(InputError, match=r"loop\.tif: the TIFF's pages form a loop"):
        open_slide(path)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: chain(5000, 0), "form a loop"),
        (lambda: chain(20_001, -1), "too many pages"),
        (
            lambda: (
                b"II*\0"
                + struct.pack("<I", FIRST)
                + PIXELS
                + directory(0, sub=(50_000, FIRST + SIZE + 12))
                + struct.pack("<I", FIRST) * 50_000
            ),
            "too many SubIFDs",
        ),
    ],
)
def test_claims_beyond_every_slide_are_refused(
    make: Callable[[], bytes], said: str, tmp_path: Path
) -> None:
    path = tmp_path / "claims.tif"
    path.write_bytes(make())
    with pytest.raises(InputError, match=rf"claims\.tif: .*{said}"):
        open_slide(path)


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
def test_true_series_and_pyramids_pass(big: bool, order: str, tmp_path: Path) -> None:
    path = tmp_path / "series.tif"
    with tifffile.TiffWriter(path, bigtiff=big, byteorder=order) as file:
        picture = np.zeros((64, 64), np.uint8)
        file.write(picture, subifds=2)
        for factor in (2, 4):
            file.write(picture[::factor, ::factor], subfiletype=1)
        for _ in range(30):
            file.write(picture)
    tiff_guard.check_directories(path)


def test_a_pipe_and_a_device_are_no_slides(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero"), Path("/dev/stdin").resolve()):
        if path.exists() and not path.is_file():
            with pytest.raises(InputError, match="not a regular file"):
                open_slide(path)
