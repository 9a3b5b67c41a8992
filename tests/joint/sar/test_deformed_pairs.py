"""The pairs that benchmarks/deformed_pairs.py writes."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from benchmarks.deformed_pairs import write_case
from tests.joint.sar.pictures import SIZE_PX, Blobs

from stainbridge.geometry.landmarks import read_points_csv
from stainbridge.joint.sar.config import SarPairsConfig
from stainbridge.joint.sar.stream import SarStream


def sample_picture(path: Path, points: np.ndarray) -> np.ndarray:
    """Return grey values at points in pixels from the corner of the first one."""
    picture = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    assert picture is not None
    x, y = np.ascontiguousarray((points.astype(np.float32) - 0.5).T)[:, None]
    return np.asarray(cv2.remap(picture, x, y, cv2.INTER_LINEAR), float).ravel()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("deformed")
    config = SarPairsConfig(SIZE_PX, displacement_px=(60.0, 60.0), nodes=(3, 3))
    write_case(folder, "one", SarStream(Blobs(), config, 4)[0])
    return folder


def test_landmarks_show_the_same_place_in_both_pictures(folder: Path) -> None:
    fixed, moving = (
        read_points_csv(folder / f"{side}_landmarks" / "one.csv")[0] for side in ("fixed", "moving")
    )
    assert len(fixed) > 100
    assert np.abs(fixed - moving).max() > 2
    expected = sample_picture(folder / "fixed" / "one.png", fixed)
    assert np.abs(sample_picture(folder / "moving" / "one.png", moving) - expected).mean() < 5.5
    assert np.abs(sample_picture(folder / "moving" / "one.png", fixed) - expected).mean() > 15


def test_what_is_not_black_is_tissue_and_labels_are_whole_numbers(folder: Path) -> None:
    for side in ("fixed", "moving"):
        planes = [
            cv2.imread(str(folder / f"{side}{suffix}" / "one.png"), cv2.IMREAD_UNCHANGED)
            for suffix in ("", "_mask", "_labels")
        ]
        picture, mask, labels = planes
        assert np.array_equal(mask, 255 * (picture > 0))
        assert set(np.unique(labels)) == {0, 1}
