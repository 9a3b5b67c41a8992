"""Weights are told by what is in them."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from stainbridge.errors import MissingFileError
from stainbridge.learn.digest import digest_weights


def test_the_digest_is_that_of_the_content(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(b"one")
    digest = digest_weights(path)
    assert digest == hashlib.sha256(b"one").hexdigest()[:16]
    os.utime(path, (0, 0))
    assert digest_weights(path) == digest
    path.write_bytes(b"two")
    assert digest_weights(path) != digest


def test_of_a_run_it_is_that_of_what_is_used(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no weights there"):
        digest_weights(tmp_path)
    (tmp_path / "last.safetensors").write_bytes(b"last")
    assert digest_weights(tmp_path) == hashlib.sha256(b"last").hexdigest()[:16]
    (tmp_path / "best.safetensors").write_bytes(b"best")
    assert digest_weights(tmp_path) == hashlib.sha256(b"best").hexdigest()[:16]
