"""Digests that vouch for a result: of its transform, its record and its slides' files.

A swapped transform, an edited record or another slide in the old place is refused before it is
used. HDF5 is opened only after its digest holds, for damaged files can end the process.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stainbridge.errors import InputError
from stainbridge.fingerprint import fingerprint
from stainbridge.json_values import to_json_values

#: The record's entry with the digest of all its other entries.
DIGEST = "digest"
#: The record's entry with the digest of the transform's file.
TRANSFORM_DIGEST = "transform_digest"
#: The record's entry with the digest of the list of pieces, where there are several.
PIECES_DIGEST = "pieces_digest"
#: The entries of the slides.
SIDES = ("fixed", "moving")
#: Entries of a slide that may be changed by hand: it may be moved.
FREE = ("path",)
#: Bytes that are read at a time.
BLOCK_BYTES = 1 << 20


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def digest_record(record: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a record's entries, in any order, without where the slides are."""
    entries = {key: value for key, value in record.items() if key != DIGEST}
    for side in SIDES:
        if isinstance(entries.get(side), Mapping):
            entries[side] = {key: value for key, value in entries[side].items() if key not in FREE}
    text = json.dumps(to_json_values(entries), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def check_record(record: Mapping[str, Any], path: Path) -> bool:
    """Return whether a record has a digest; raises `InputError` where that does not hold."""
    if DIGEST not in record:
        # Earlier versions wrote neither; a new record without its digest has lost it.
        if TRANSFORM_DIGEST in record or any(_has_file(record.get(side)) for side in SIDES):
            raise _refuse(path, "the record was edited")
        return False
    if record[DIGEST] != digest_record(record):
        raise _refuse(path, "the record was edited")
    return True


def check_transform(record: Mapping[str, Any], path: Path) -> bool:
    """Return whether a digest vouches for a transform's file.

    Raises `InputError` for a file that is not the one that the record was written with.
    """
    digest = record.get(TRANSFORM_DIGEST)
    if digest is None or not path.is_file():
        return False
    if hash_file(path) != digest:
        raise _refuse(path, "not the transform that was written with this record")
    return True


def has_changed(path: Path, expected: str | None) -> bool:
    """Return whether another file is in a slide's place; False where nothing is known or there."""
    return expected is not None and path.exists() and fingerprint(path) != expected


def check_fingerprint(path: Path, expected: str | None, side: str) -> None:
    """Raise `InputError` for a slide's file that is not the one that was registered."""
    if has_changed(path, expected):
        raise InputError(
            f"not the {side} slide that was registered",
            where=path,
            expected=f"the file with fingerprint {str(expected)[:12]}",
            got="another one in its place",
            remedy="put it back, or register again",
        )


def _has_file(entry: object) -> bool:
    return isinstance(entry, Mapping) and "file" in entry


def _refuse(path: Path, what: str) -> InputError:
    return InputError(
        what, where=path, expected="the files as they were written", remedy="register again"
    )
