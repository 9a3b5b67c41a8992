"""Where a moving slide lies when nothing is registered."""

from __future__ import annotations

import numpy as np

from stainbridge.geometry.frame import Space
from stainbridge.geometry.transform import Affine


def place_unregistered(fixed: Space, moving: Space) -> Affine:
    """Return the map from fixed to moving points that lays the files on each other.

    The top-left corners meet. Where both slides are calibrated, a micrometre lies on a micrometre.
    Where one is not, a full-resolution pixel lies on a pixel: its size in µm is unknown, and
    landmarks in pixels are then compared as they stand in their files, as ANHIR does for its
    unregistered cases (Borovec et al. 2020, doi:10.1109/TMI.2020.2986331). Nothing is guessed from
    what the pictures show or how large they are: two crops of unlike size are not stretched onto
    each other.
    """
    if fixed.calibrated and moving.calibrated:
        factors = (1.0, 1.0)
    else:
        factors = (moving.mpp[0] / fixed.mpp[0], moving.mpp[1] / fixed.mpp[1])
    return Affine(np.diag([*factors, 1.0]), fixed, moving)
