"""Check a Zarr's chunks before they are decoded: decoders trust the sizes that a chunk claims.

A chunk that was cut makes Blosc read past its end, which crashes or shows the process' memory.
"""

from __future__ import annotations

import bz2
import lzma
import math
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import imagecodecs
import zarr
from numcodecs.abc import Codec  # type: ignore[import-untyped]
from zarr.abc.codec import BytesBytesCodec
from zarr.abc.store import ByteRequest
from zarr.codecs import ShardingCodec
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.core.metadata import ArrayV2Metadata, ArrayV3Metadata
from zarr.storage import LocalStore, WrapperStore

from stainbridge.errors import InputError
from stainbridge.regular import check_regular

#: Filters make a chunk at most this many times larger, and add less than `MOST_EXTRA_BYTES`.
MOST_GROWTH = 8
#: Bytes that filters and checksums add to a chunk.
MOST_EXTRA_BYTES = 4096
#: A deflate stream becomes at most this many times larger, as zlib's authors state.
DEFLATE_GROWTH = 1032
#: Bytes that a deflate stream may become without being looked at first.
HARMLESS_BYTES = 2**30
#: Length of Blosc's header, in bytes.
BLOSC_HEADER_BYTES = 16
#: The flag in Blosc's header of a chunk that is stored as it is.
BLOSC_STORED = 0x2
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"


class CheckedStore(WrapperStore[Any]):  # type: ignore[misc, unused-ignore]
    """A store of regular files, whose empty ones are damage.

    Zarr takes an empty shard for a missing one, and waits for ever at a pipe.
    """

    async def get(
        self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """Return what is stored; raise `InputError` for an empty file, a pipe and a device."""
        if isinstance(self._store, LocalStore):
            check_regular(self._store.root / key)
        value = await super().get(key, prototype, byte_range)
        if value is not None and len(value) == 0:
            raise InputError("a chunk is empty", where=key)
        return value


def guard_array(array: zarr.Array[Any]) -> zarr.Array[Any]:
    """Return the same array, whose chunks are checked before they are decoded."""
    metadata = array.metadata
    guarded: ArrayV2Metadata | ArrayV3Metadata
    if isinstance(metadata, ArrayV2Metadata):
        chunk_bytes = math.prod(metadata.chunks) * metadata.dtype.to_native_dtype().itemsize
        compressor, *filters = (
            None if codec is None else GuardedCompressor(codec, chunk_bytes)
            for codec in (metadata.compressor, *(metadata.filters or ()))
        )
        guarded = replace(metadata, compressor=compressor, filters=filters or None)
    else:
        guarded = _replace_codecs(metadata)
    return zarr.Array(zarr.AsyncArray(guarded, array.store_path, array.config))


def _replace_codecs(metadata: ArrayV3Metadata) -> ArrayV3Metadata:
    fields = {**metadata.__dict__, "codecs": tuple(_guard_codec(c) for c in metadata.codecs)}
    fields.pop("zarr_format", None)
    fields.pop("node_type", None)
    return ArrayV3Metadata(**fields)


def _guard_codec(codec: Any) -> Any:
    if isinstance(codec, ShardingCodec):
        return ShardingCodec(
            chunk_shape=codec.chunk_shape,
            codecs=tuple(_guard_codec(inner) for inner in codec.codecs),
            index_codecs=codec.index_codecs,
            index_location=codec.index_location,
        )
    return GuardedCodec(codec) if isinstance(codec, BytesBytesCodec) else codec


class GuardedCompressor(Codec):  # type: ignore[misc]
    """A compressor or filter of Zarr 2 that decodes only what `check_chunk` lets through."""

    codec_id = "guarded"

    def __init__(self, inner: Any, chunk_bytes: int) -> None:
        self._inner = inner
        self._chunk_bytes = chunk_bytes

    def encode(self, buf: Any) -> Any:
        """Return what the compressor makes of a chunk."""
        return self._inner.encode(buf)

    def decode(self, buf: Any, out: Any = None) -> Any:
        """Return a chunk's decoded bytes; raise `InputError` for a damaged one."""
        check_chunk(str(self._inner.codec_id), bytes(buf), self._chunk_bytes)
        return self._inner.decode(buf, out)

    def get_config(self) -> dict[str, Any]:
        """Return the configuration of the compressor itself."""
        return dict(self._inner.get_config())


@dataclass(frozen=True)
class GuardedCodec(BytesBytesCodec):  # type: ignore[misc, unused-ignore]
    """A compressor of Zarr 3 that decodes only what `check_chunk` lets through."""

    inner: Any
    """The compressor."""

    @property
    def is_fixed_size(self) -> bool:
        """Whether encoded chunks are all of one size."""
        return bool(self.inner.is_fixed_size)

    def compute_encoded_size(self, input_byte_length: int, chunk_spec: Any) -> int:
        """Return the size of an encoded chunk, in bytes."""
        return int(self.inner.compute_encoded_size(input_byte_length, chunk_spec))

    def evolve_from_array_spec(self, array_spec: Any) -> GuardedCodec:
        """Return this with the compressor fitted to an array."""
        return GuardedCodec(self.inner.evolve_from_array_spec(array_spec))

    def to_dict(self) -> dict[str, Any]:
        """Return the description of the compressor itself."""
        return dict(self.inner.to_dict())

    async def _decode_single(self, chunk_data: Buffer, chunk_spec: Any) -> Buffer:
        name = str(self.inner.to_dict()["name"]).removeprefix("numcodecs.")
        itemsize = chunk_spec.dtype.to_native_dtype().itemsize
        check_chunk(name, chunk_data.to_bytes(), math.prod(chunk_spec.shape) * itemsize)
        decoded: Buffer = await self.inner._decode_single(chunk_data, chunk_spec)
        return decoded


def check_chunk(codec: str, data: bytes, chunk_bytes: int) -> None:
    """Raise `InputError` for an encoded chunk that must not be decoded.

    That is one whose header does not fit its length, or that claims to become far larger than
    `chunk_bytes`, the size of the array's chunks.
    """
    claim = CLAIMS.get(codec)
    if claim is None:
        return
    limit = MOST_GROWTH * chunk_bytes + MOST_EXTRA_BYTES
    claimed = claim(data, limit)
    if claimed > limit:
        raise InputError(
            "a chunk claims to be larger than the array's chunks",
            expected=f"{chunk_bytes} bytes",
            got=claimed,
        )


def _read_blosc_size(data: bytes, _limit: int) -> int:
    """Return the decoded size in the header of a Blosc chunk.

    https://github.com/Blosc/c-blosc/blob/main/README_CHUNK_FORMAT.rst
    """
    _require(len(data) >= BLOSC_HEADER_BYTES, f"{BLOSC_HEADER_BYTES} bytes and more", len(data))
    flags = data[2]
    decoded, _block, encoded = struct.unpack_from("<III", data, 4)
    _require(encoded == len(data), f"{encoded} bytes, as its header says", len(data))
    if flags & BLOSC_STORED:
        _require(len(data) == decoded + BLOSC_HEADER_BYTES, f"{decoded} stored bytes", len(data))
    return int(decoded)


def _read_lz4_size(data: bytes, _limit: int) -> int:
    """Return the decoded size that numcodecs puts before an LZ4 block."""
    _require(len(data) > 4, "5 bytes and more", len(data))
    return int(struct.unpack_from("<I", data)[0])


def _read_zstd_size(data: bytes, limit: int) -> int:
    """Return the decoded size in a Zstandard frame's header (RFC 8878), else measure it."""
    _require(data[:4] == ZSTD_MAGIC and len(data) > 5, "a Zstandard frame", f"{data[:4]!r}")
    descriptor = data[4]
    is_single_segment = bool(descriptor & 0x20)
    size_flag = descriptor >> 6
    at = 5 + (0 if is_single_segment else 1) + (0, 1, 2, 4)[descriptor & 3]
    width = (1 if is_single_segment else 0, 2, 4, 8)[size_flag]
    _require(len(data) >= at + width, "a whole header", f"{len(data)} bytes")
    if width == 0:
        return _measure_zstd(data, limit)
    return int.from_bytes(data[at : at + width], "little") + (256 if width == 2 else 0)


def _measure_zstd(data: bytes, limit: int) -> int:
    """Return the decoded size of a Zstandard frame, `limit` + 1 where it is larger than `limit`."""
    try:
        return len(imagecodecs.zstd_decode(data, out=limit))
    except imagecodecs.ZstdError as error:
        if "too small" in str(error):
            return limit + 1
        raise InputError("a chunk is damaged", got=error) from error


def _measure_deflate(data: bytes, limit: int) -> int:
    """Return the decoded size of a zlib or gzip stream that may be enormous, else 0.

    No more than `limit` bytes are decoded.
    """
    if DEFLATE_GROWTH * len(data) <= HARMLESS_BYTES:
        return 0
    decoder = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
    try:
        return len(decoder.decompress(data, limit + 1))
    except zlib.error as error:
        raise InputError("a chunk is damaged", got=error) from error


def _measure_bz2(data: bytes, limit: int) -> int:
    return _measure_streams(bz2.BZ2Decompressor, data, limit)


def _measure_lzma(data: bytes, limit: int) -> int:
    return _measure_streams(lzma.LZMADecompressor, data, limit)


def _measure_streams(open_stream: Callable[[], Any], data: bytes, limit: int) -> int:
    """Return the decoded size of streams, one after the other; no more than `limit` is decoded.

    Damage, and what is no such stream, is left to the decoder itself.
    """
    size = 0
    try:
        while data and size <= limit:
            stream = open_stream()
            size += len(stream.decompress(data, limit + 1 - size))
            data = stream.unused_data
    except (OSError, EOFError, lzma.LZMAError):
        return 0
    return size


def _require(holds: bool, expected: str, got: object) -> None:
    if not holds:
        raise InputError("a chunk is damaged", expected=expected, got=got)


#: The decoded size that a chunk claims, in bytes, for each compressor that trusts it.
CLAIMS: dict[str, Callable[[bytes, int], int]] = {
    "blosc": _read_blosc_size,
    "lz4": _read_lz4_size,
    "zstd": _read_zstd_size,
    "zlib": _measure_deflate,
    "gzip": _measure_deflate,
    "bz2": _measure_bz2,
    "lzma": _measure_lzma,
}
