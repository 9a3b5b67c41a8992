"""The bytes of a JSON file that may be compressed: gzip, or a zip with one file."""

from __future__ import annotations

import gzip
import io
import struct
import zipfile
import zlib
from pathlib import Path

from stainbridge.errors import InputError

GZIP_MAGIC = b"\x1f\x8b"
ZIP_MAGIC = b"PK\x03\x04"
ENDINGS = (".geojson", ".json")
#: Annotations of more bytes than this are refused: so large is only what was made to be.
LARGEST_BYTES = 4 * 2**30
#: Annotations pack to a tenth or so; what unpacks to this many times its size was made to be large.
MOST_RATIO = 200
#: Up to this many bytes the ratio does not matter.
SMALL_BYTES = 64 * 2**20


def unpack_json(raw: bytes, path: Path) -> bytes:
    """Return the JSON in `raw`, the bytes of the file `path`.

    Raises `InputError` for a damaged archive, one without a JSON file or with several, and more
    than 4 GiB.
    """
    try:
        if raw[:2] == GZIP_MAGIC:
            with gzip.GzipFile(fileobj=io.BytesIO(raw)) as stream:
                return _check_size(stream.read(_find_limit(raw) + 1), raw, path)
        if raw[:4] == ZIP_MAGIC:
            return _read_only_member(raw, path)
    except InputError:
        raise
    # the two libraries raise these for damage; RuntimeError for a password
    except (
        gzip.BadGzipFile,
        zipfile.BadZipFile,
        EOFError,
        KeyError,
        NotImplementedError,
        OSError,
        RuntimeError,
        ValueError,
        struct.error,
        zlib.error,
    ) as error:
        raise InputError("not a GeoJSON file", where=path, got=error) from error
    return raw


def _read_only_member(raw: bytes, path: Path) -> bytes:
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        names = [
            name
            for name in archive.namelist()
            if name.lower().endswith(ENDINGS) and not name.startswith("__MACOSX/")
        ]
        if len(names) != 1:
            raise InputError(
                "a zip is read where it holds one GeoJSON file",
                where=path,
                expected="one",
                got=", ".join(names[:4]) or "none",
            )
        with archive.open(names[0]) as member:
            return _check_size(member.read(_find_limit(raw) + 1), raw, path)


def _find_limit(raw: bytes) -> int:
    """Return the most bytes that a packed file may hold."""
    return min(LARGEST_BYTES, max(SMALL_BYTES, MOST_RATIO * len(raw)))


def _check_size(data: bytes, raw: bytes, path: Path) -> bytes:
    limit = _find_limit(raw)
    if len(data) > limit:
        raise InputError(
            "the annotations are too large",
            where=path,
            expected=f"at most {limit / 2**20:.0f} MiB from {len(raw)} bytes",
        )
    return data
