"""Damaged chunks of a Zarr: refused before a decoder reads past their end."""

from __future__ import annotations

import bz2
import lzma
import os
import shutil
import struct
import zlib
from pathlib import Path
from typing import Any

import numcodecs
import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.conftest import texture
from zarr.codecs import BloscCodec, GzipCodec, ZstdCodec

from stainbridge.errors import InputError
from stainbridge.slides import open_slide
from stainbridge.slides.readers.zarr_guard import check_chunk

PICTURE = texture(48, 64, 3)
BLOSC_NAMES = ("blosclz", "lz4", "lz4hc", "zlib", "zstd")
CODECS: dict[str, dict[str, Any]] = {
    **{
        f"2 blosc {name}": {"zarr_format": 2, "compressors": numcodecs.Blosc(name, 5, 1)}
        for name in BLOSC_NAMES
    },
    "2 lz4": {"zarr_format": 2, "compressors": numcodecs.LZ4()},
    "2 zlib": {"zarr_format": 2, "compressors": numcodecs.Zlib()},
    "2 gzip": {"zarr_format": 2, "compressors": numcodecs.GZip()},
    "2 bz2": {"zarr_format": 2, "compressors": numcodecs.BZ2()},
    "2 lzma": {"zarr_format": 2, "compressors": numcodecs.LZMA()},
    "2 zstd": {"zarr_format": 2, "compressors": numcodecs.Zstd()},
    "2 raw": {"zarr_format": 2, "compressors": None},
    "2 shuffle, blosc": {
        "zarr_format": 2,
        "filters": [numcodecs.Shuffle(1)],
        "compressors": numcodecs.Blosc("lz4"),
    },
    "2 blosc as a filter": {
        "zarr_format": 2,
        "filters": [numcodecs.Blosc("lz4")],
        "compressors": None,
    },
    "2 gzip as a filter, lz4": {
        "zarr_format": 2,
        "filters": [numcodecs.GZip()],
        "compressors": numcodecs.LZ4(),
    },
    "3 blosc": {"compressors": BloscCodec(cname="lz4")},
    "3 zstd": {"compressors": ZstdCodec()},
    "3 gzip": {"compressors": GzipCodec()},
    "3 raw": {"compressors": None},
    "3 shard, blosc": {"compressors": BloscCodec(cname="lz4"), "shards": (48, 64, 3)},
    "3 shard, zstd": {"compressors": ZstdCodec(), "shards": (48, 64, 3)},
}


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Path, bytes]]:
    """For each codec the array, the file of its only chunk, and that file's bytes."""
    made = {}
    for name, options in CODECS.items():
        folder = tmp_path_factory.mktemp("zarr") / "a.zarr"
        chunks = (24, 64, 3) if "shards" in options else (48, 64, 3)
        zarr.create_array(folder, data=PICTURE, chunks=chunks, **options)
        (chunk,) = (
            path
            for path in folder.rglob("*")
            if path.is_file() and path.name not in (".zarray", ".zattrs", "zarr.json")
        )
        made[name] = (folder, chunk, chunk.read_bytes())
    return made


def read(folder: Path) -> np.ndarray:
    with open_slide(folder) as slide:
        return np.moveaxis(slide.read(slide.frame).pixels, 0, -1)


def read_or_refuse(folder: Path) -> np.ndarray | str:
    try:
        return read(folder)
    except InputError as error:
        return str(error)


@pytest.mark.parametrize("name", CODECS)
def test_a_whole_chunk_is_read(
    name: str, stores: dict[str, tuple[Path, Path, bytes]], tmp_path: Path
) -> None:
    np.testing.assert_array_equal(read(shutil.copytree(stores[name][0], tmp_path / "a")), PICTURE)


@settings(max_examples=50, deadline=None)
@given(name=st.sampled_from(sorted(CODECS)), data=st.data())
def test_a_cut_chunk_is_refused(
    stores: dict[str, tuple[Path, Path, bytes]], name: str, data: st.DataObject
) -> None:
    folder, chunk, whole = stores[name]
    chunk.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(InputError, match="level 0, tile at column"):
        read(folder)


@settings(max_examples=50, deadline=None)
@given(name=st.sampled_from(sorted(CODECS)), more=st.binary(min_size=1, max_size=64))
def test_a_grown_chunk_is_refused_or_read_right(
    stores: dict[str, tuple[Path, Path, bytes]], name: str, more: bytes
) -> None:
    folder, chunk, whole = stores[name]
    chunk.write_bytes(whole + more)
    result = read_or_refuse(folder)
    if isinstance(result, str):
        assert "level 0, tile at column" in result
    else:
        np.testing.assert_array_equal(result, PICTURE)


@pytest.mark.parametrize("name", [name for name in CODECS if "raw" not in name])
def test_a_zeroed_chunk_is_refused(
    name: str, stores: dict[str, tuple[Path, Path, bytes]], tmp_path: Path
) -> None:
    source, chunk, whole = stores[name]
    folder = shutil.copytree(source, tmp_path / "a")
    (folder / chunk.relative_to(source)).write_bytes(bytes(len(whole)))
    with pytest.raises(InputError, match="level 0, tile at column"):
        read(folder)


@settings(max_examples=50, deadline=None)
@given(
    name=st.sampled_from(sorted(n for n in CODECS if "raw" not in n and "shard" not in n)),
    place=st.integers(0, 15),
    value=st.binary(min_size=1, max_size=8),
)
def test_a_damaged_header_neither_crashes_nor_changes_the_size(
    stores: dict[str, tuple[Path, Path, bytes]], name: str, place: int, value: bytes
) -> None:
    folder, chunk, whole = stores[name]
    chunk.write_bytes(whole[:place] + value + whole[place + len(value) :])
    result = read_or_refuse(folder)
    if isinstance(result, str):
        assert "level 0, tile at column" in result
    else:
        assert result.shape == PICTURE.shape


@pytest.mark.parametrize(
    ("codec", "data"),
    [
        ("blosc", struct.pack("<BBBBIII", 2, 1, 0, 1, 2**31, 1000, 16)),
        ("lz4", struct.pack("<I", 2**32 - 1) + b"data"),
        ("zstd", b"\x28\xb5\x2f\xfd\xe0" + (2**50).to_bytes(8, "little")),
    ],
)
def test_a_chunk_that_claims_to_be_enormous_is_refused(codec: str, data: bytes) -> None:
    with pytest.raises(InputError, match="larger than the array's chunks"):
        check_chunk(codec, data, 1000)


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("is_metadata", [True, False])
def test_a_pipe_in_a_zarr_is_refused_and_not_waited_for(
    tmp_path: Path, version: Any, is_metadata: bool
) -> None:
    folder = tmp_path / "a.zarr"
    zarr.create_array(folder, data=PICTURE, chunks=PICTURE.shape, zarr_format=version)
    metadata = folder / ("zarr.json" if version == 3 else ".zarray")
    (chunk,) = (path for path in folder.rglob("*") if "0" in path.name and path.is_file())
    replaced = metadata if is_metadata else chunk
    replaced.unlink()
    os.mkfifo(replaced)
    with pytest.raises(InputError, match=r"a\.zarr"):
        read(folder)


@pytest.mark.parametrize("place", ["filters", "compressors"])
def test_a_claim_is_checked_wherever_the_codec_stands(tmp_path: Path, place: str) -> None:
    codecs: dict[str, Any] = {"filters": None, "compressors": None}
    codecs[place] = [numcodecs.LZ4()] if place == "filters" else numcodecs.LZ4()
    folder = tmp_path / "a.zarr"
    zarr.create_array(folder, data=PICTURE, chunks=PICTURE.shape, zarr_format=2, **codecs)
    chunk = folder / "0.0.0"
    chunk.write_bytes(struct.pack("<I", 2**31 - 1) + chunk.read_bytes()[4:])
    with pytest.raises(InputError, match="a chunk claims to be larger than the array's chunks"):
        read(folder)


def test_a_chunk_that_becomes_enormous_is_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stainbridge.slides.readers.zarr_guard.HARMLESS_BYTES", 1000)
    with pytest.raises(InputError, match="larger than the array's chunks"):
        check_chunk("zlib", zlib.compress(bytes(10**6)), 1000)


def make_zstd_bomb(blocks: int) -> bytes:
    """Return a Zstandard frame without its size, of blocks of 128 KiB of zeros (RFC 8878)."""
    repeated = 1 << 1
    headers = [int(n == blocks - 1) | repeated | 2**17 << 3 for n in range(blocks)]
    body = b"".join(header.to_bytes(3, "little") + b"\0" for header in headers)
    return b"\x28\xb5\x2f\xfd\x00\x58" + body


BOMBS = {
    "zstd": make_zstd_bomb(40),
    "bz2": bz2.compress(bytes(5 * 2**20)),
    "lzma": lzma.compress(bytes(5 * 2**20)),
}


@pytest.mark.parametrize("codec", [*BOMBS, "bz2 of several"])
def test_a_chunk_without_its_size_is_decoded_no_further_than_the_array_allows(codec: str) -> None:
    name = codec.split()[0]
    bomb = BOMBS[name] if name == codec else bz2.compress(bytes(2**16)) * 30
    with pytest.raises(InputError, match="larger than the array's chunks"):
        check_chunk(name, bomb, 4096)
    check_chunk(name, bomb, 5 * 2**20)


@pytest.mark.parametrize("codec", ["bz2", "lzma"])
def test_a_damaged_stream_is_left_to_its_decoder(codec: str) -> None:
    whole = {"bz2": bz2, "lzma": lzma}[codec].compress(np.random.default_rng(0).bytes(4000))
    check_chunk(codec, whole[:900], 4096)
    check_chunk(codec, b"no such stream", 4096)


def test_a_damaged_zstandard_frame_without_its_size_is_refused() -> None:
    with pytest.raises(InputError, match="a chunk is damaged"):
        check_chunk("zstd", BOMBS["zstd"][:-1], 5 * 2**20)
