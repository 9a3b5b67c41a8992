"""ANTs SyN through antspyx, with its defaults: affine, then symmetric normalisation, by mutual
information.

Avants et al. 2008, "Symmetric diffeomorphic image registration with cross-correlation",
doi:10.1016/j.media.2007.06.004.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ants
import numpy as np
import pandas as pd
from exchange import run
from PIL import Image


def image(path: Path) -> Any:
    """Grey, glass 0, (x, y) as ANTs has it."""
    grey = 255.0 - np.asarray(Image.open(path).convert("L"), np.float32)
    return ants.from_numpy(np.ascontiguousarray(grey.T))


def syn(folder: Path, points: Any) -> Any:
    """Where the points go, (N, 2)."""
    fixed, moving = image(folder / "fixed.png"), image(folder / "moving.png")
    found = ants.registration(fixed, moving, type_of_transform="SyN", random_seed=1)
    table = pd.DataFrame(points, columns=["x", "y"])
    return ants.apply_transforms_to_points(2, table, found["fwdtransforms"])[["x", "y"]].to_numpy()


run(syn)
