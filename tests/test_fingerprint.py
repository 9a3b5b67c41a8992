"""Fingerprints of files: of their content alone, wherever and whenever it lies."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np

from stainbridge.fingerprint import BLOCK_BYTES, BLOCKS, fingerprint


def test_a_copy_has_the_same_fingerprint_and_a_change_another(tmp_path: Path) -> None:
    for size in (10, 3 * BLOCKS * BLOCK_BYTES):
        path = tmp_path / f"{size}.svs"
        data = np.random.default_rng(size).integers(0, 256, size, np.uint8)
        path.write_bytes(data.tobytes())
        copied = shutil.copy(path, tmp_path / "copy.svs")
        os.utime(copied, (0, 0))
        assert fingerprint(Path(copied)) == fingerprint(path)
        data[-1] ^= 1
        path.write_bytes(data.tobytes())
        assert fingerprint(Path(copied)) != fingerprint(path)


def test_a_folder_is_told_by_its_files(tmp_path: Path) -> None:
    (tmp_path / "slide").mkdir()
    (tmp_path / "slide" / "Data0.dat").write_bytes(b"123")
    slide = tmp_path / "slide.mrxs"
    slide.write_bytes(b"index")
    before = fingerprint(tmp_path / "slide"), fingerprint(slide)
    (tmp_path / "slide" / "Data0.dat").write_bytes(b"1234")
    assert fingerprint(tmp_path / "slide") != before[0]
    assert fingerprint(slide) != before[1]
