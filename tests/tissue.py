"""Two generated sections of one tissue as files with their exact truth, to register in tests."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from stainbridge.geometry.geojson import write_geojson
from stainbridge.geometry.landmarks import Landmarks, write_points_csv
from stainbridge.jobs.demo import circular_annotation
from stainbridge.phantom.pairs.pair import generate_pair
from stainbridge.slides.slide import Slide

SIDES = {"fixed": "he", "moving": "ki67"}


@dataclass(frozen=True)
class Tissue:
    """Paths of two slides and of corresponding landmarks on them."""

    fixed: Path
    moving: Path
    fixed_landmarks: Path
    moving_landmarks: Path


@pytest.fixture(scope="session")
def tissue(tmp_path_factory: pytest.TempPathFactory) -> Tissue:
    """An H&E section and a rotated, mirrored and stretched Ki67 section.

    Landmarks and annotations lie beside them.
    """
    folder = tmp_path_factory.mktemp("tissue")
    pair = generate_pair(
        seed=3, size_px=800, mpp=4.0, moving_stain="Ki67", rotation_deg=-75.0, flip=True
    )
    _write(folder / "he", pair.fixed, pair.fixed_landmarks)
    _write(folder / "ki67", pair.moving, pair.moving_landmarks)
    for name, darkest in (("he-tissue", 225), ("he-tissue-by-hand", 215)):
        tissue = pair.fixed.read(pair.fixed.frame).pixels.mean(axis=0) < darkest
        PIL.Image.fromarray(tissue * np.uint8(255)).save(folder / f"{name}.png")
    return Tissue(folder / "he.svs", folder / "ki67.svs", folder / "he.csv", folder / "ki67.csv")


@pytest.fixture
def workplace(tissue: Tissue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of one's own with the files of `tissue` in it; the commands run there."""
    shutil.copytree(tissue.fixed.parent, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _write(stem: Path, slide: Slide, landmarks: Landmarks) -> None:
    """`stem`.svs (a picture in it: the reader goes by content), .csv and .geojson."""
    pixels = np.ascontiguousarray(np.moveaxis(slide.read(slide.frame).pixels, 0, -1))
    PIL.Image.fromarray(pixels).save(stem.with_suffix(".svs"), "PNG")
    write_points_csv(stem.with_suffix(".csv"), landmarks.points_px, landmarks.labels)
    features = [
        circular_annotation(centre, number, landmarks.frame)
        for number, centre in enumerate(landmarks.points_um[:3])
    ]
    write_geojson(stem.with_suffix(".geojson"), {"type": "FeatureCollection", "features": features})
