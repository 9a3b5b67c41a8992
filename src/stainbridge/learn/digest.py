"""A short digest of weights, by which a record says what its result depends on."""

from __future__ import annotations

import hashlib
from pathlib import Path

from stainbridge.learn.weights import choose_weights_file, missing_weights

#: Hexadecimal digits of the digest.
DIGITS = 16


def digest_weights(path: Path) -> str:
    """Return the first digits of the SHA-256 of a file of weights, or of a run's.

    Raises `MissingFileError` where there are none.
    """
    file = choose_weights_file(path)
    if not file.is_file():
        raise missing_weights(file)
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()[:DIGITS]
