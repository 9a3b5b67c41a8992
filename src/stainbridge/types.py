"""Names for arrays; the comment gives the shape that each stands for."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

#: (N, 2), columns x and y.
Points: TypeAlias = npt.NDArray[np.float64]
#: (3, 3), homogeneous.
Matrix: TypeAlias = npt.NDArray[np.float64]
#: (2, H, W), channels dx and dy.
Field: TypeAlias = npt.NDArray[np.float32]
#: (C, H, W), integer or float.
Pixels: TypeAlias = npt.NDArray[Any]
#: (H, W).
Mask: TypeAlias = npt.NDArray[np.bool_]
#: (H, W).
Plane: TypeAlias = npt.NDArray[np.float32]
#: A box on a slide in full-resolution pixels: left, top, right, bottom.
Box: TypeAlias = tuple[float, float, float, float]
