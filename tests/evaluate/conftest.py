from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from stainbridge.geometry.landmarks import write_points_csv
from stainbridge.phantom.pairs.pair import generate_pair


@pytest.fixture(scope="session")
def pairs_csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of one generated pair with landmarks, and one pair without."""
    folder = tmp_path_factory.mktemp("generated")
    pair = generate_pair(seed=3, size_px=320, mpp=10.0, rotation_deg=25.0, flip=False)
    for name, slide, marks in (
        ("a", pair.fixed, pair.fixed_landmarks),
        ("b", pair.moving, pair.moving_landmarks),
    ):
        pixels = np.ascontiguousarray(np.moveaxis(slide.read(slide.frame).pixels, 0, -1))
        PIL.Image.fromarray(pixels).save(folder / f"{name}.png")
        write_points_csv(folder / f"{name}.csv", marks.points_px, marks.labels)
    rows = [
        "case,fixed,moving,fixed_landmarks,moving_landmarks",
        "one,a.png,b.png,a.csv,b.csv",
        "two,b.png,a.png,,",
    ]
    (folder / "pairs.csv").write_text("\n".join(rows))
    return folder / "pairs.csv"
