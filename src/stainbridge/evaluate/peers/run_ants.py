"""Run ANTs SyN with its defaults: affine, then symmetric normalisation, by mutual information.

Avants et al. 2008, "Symmetric diffeomorphic image registration with cross-correlation",
doi:10.1016/j.media.2007.06.004.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ants
import numpy as np
import pandas as pd
from exchange import run_peer
from PIL import Image


def read_image(path: Path) -> Any:
    """Read a picture in grey, glass 0, with ANTs' axis order (x, y)."""
    grey = 255.0 - np.asarray(Image.open(path).convert("L"), np.float32)
    return ants.from_numpy(np.ascontiguousarray(grey.T))


def map_points(folder: Path, points: Any) -> Any:
    """Return where the points go, (N, 2)."""
    fixed = read_image(folder / "fixed.png")
    moving = read_image(folder / "moving.png")
    result = ants.registration(fixed, moving, type_of_transform="SyN", random_seed=1)
    table = pd.DataFrame(points, columns=["x", "y"])
    return ants.apply_transforms_to_points(2, table, result["fwdtransforms"])[["x", "y"]].to_numpy()


run_peer(map_points)
