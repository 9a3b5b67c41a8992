"""The same transform is the same file, whenever it is written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stainbridge.geometry.files import read_transform, write_transform
from stainbridge.geometry.frame import Space
from stainbridge.geometry.hdf5_times import erase_times
from stainbridge.geometry.itk import to_itk
from stainbridge.geometry.transform import DisplacementField

HE = Space("he", height=60, width=80, mpp=(0.5, 0.5))
KI67 = Space("ki67", height=60, width=80, mpp=(0.5, 0.5))


@pytest.fixture
def field() -> DisplacementField:
    displacement = np.random.default_rng(0).normal(size=(2, 6, 8)).astype(np.float32)
    return DisplacementField(displacement, HE.frame.fit(8), HE, KI67)


def write_plainly(field: DisplacementField, path: Path) -> bytes:
    """Write as the library does, with the time of writing."""
    import SimpleITK

    SimpleITK.WriteTransform(to_itk(field), str(path))
    return path.read_bytes()


def test_times_are_erased_and_nothing_else(field: DisplacementField, tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    before = write_plainly(field, path)
    erase_times(path)
    after = path.read_bytes()
    assert len(after) == len(before)
    write_transform(tmp_path / "b.h5", field)
    assert (tmp_path / "b.h5").read_bytes() == after
    first = after.index(b"OHDR")
    assert before[first + 6 : first + 22] != bytes(16)
    assert after[first + 6 : first + 22] == bytes(16)
    points = HE.frame.corners_um * 0.5
    read = read_transform(path, HE, KI67)  # the library checks the checksums
    np.testing.assert_allclose(read(points), field(points), atol=1e-4)


def test_data_that_looks_like_a_header_stays(field: DisplacementField, tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    fake = b"OHDR\x02\x20" + b"\x07" * 16 + b"\x04" + b"data" + b"\x01\x02\x03\x04"
    content = write_plainly(field, path) + fake
    path.write_bytes(content)
    erase_times(path)
    assert path.read_bytes()[-len(fake) :] == fake
