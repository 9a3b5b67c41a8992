"""Array aliases; the comment gives the shape each name stands for."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Points: TypeAlias = npt.NDArray[np.float64]  # (N, 2), columns x, y
Matrix: TypeAlias = npt.NDArray[np.float64]  # (3, 3), homogeneous
Field: TypeAlias = npt.NDArray[np.float32]  # (2, H, W), channels dx, dy
Pixels: TypeAlias = npt.NDArray[Any]  # (C, H, W), integer or float
Mask: TypeAlias = npt.NDArray[np.bool_]  # (H, W)
Plane: TypeAlias = npt.NDArray[np.float32]  # (H, W)
