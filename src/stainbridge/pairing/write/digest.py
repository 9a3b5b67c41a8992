"""Digests of a set's pictures, by which two sets are told apart."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from stainbridge.whole import whole_file

#: The file of digests; `md5sum -c` reads it.
DIGESTS = "MD5SUMS"


def write_digests(out: Path, names: Iterable[str]) -> str:
    """Write the MD5 of each named file of the folder `out`, and return the MD5 of that list.

    Names are relative to `out`, sorted, with forward slashes, so that the same pictures in another
    folder have the same digest.
    """
    lines = [f"{digest_file(out / name)}  {name}\n" for name in sorted(names)]
    text = "".join(lines).encode("utf-8")
    with whole_file(out / DIGESTS) as temporary:
        temporary.write_bytes(text)
    return hashlib.md5(text, usedforsecurity=False).hexdigest()


def digest_file(path: Path) -> str:
    """Return the MD5 of a file's bytes, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, _start_md5).hexdigest()


def _start_md5() -> hashlib._Hash:
    return hashlib.md5(usedforsecurity=False)
