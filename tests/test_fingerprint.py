"""Fingerprints of files: of their content alone, wherever and whenever it lies."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import zarr

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


@pytest.mark.parametrize("chunk", [16, 100])
def test_another_slide_whose_files_are_as_large_is_told(chunk: int, tmp_path: Path) -> None:
    """As an uncompressed Zarr of the same shape is."""
    paths = [tmp_path / f"{seed}.zarr" for seed in range(2)]
    for seed, path in enumerate(paths):
        pixels = np.random.default_rng(seed).integers(0, 256, (300, 400), np.uint8)
        zarr.create_array(path, data=pixels, chunks=(chunk, chunk), compressors=None)
    assert fingerprint(paths[0]) != fingerprint(paths[1])
    copied = shutil.copytree(paths[0], tmp_path / "copy.zarr")
    assert fingerprint(Path(copied)) == fingerprint(paths[0])
