"""Colour deconvolution: how much of each stain is where.

Ruifrok & Johnston 2001, "Quantification of histochemical staining by color deconvolution", Anal
Quant Cytol Histol 23.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stainbridge.errors import InputError
from stainbridge.imaging.colour import optical_density
from stainbridge.types import Pixels

#: The paper's shares of red, green and blue light that haematoxylin absorbs.
HAEMATOXYLIN = (0.650, 0.704, 0.286)
#: The same of eosin.
EOSIN = (0.072, 0.990, 0.105)
#: The same of DAB.
DAB = (0.268, 0.570, 0.776)


def stain_densities(rgb: Pixels, *stains: tuple[float, float, float]) -> npt.NDArray[np.float32]:
    """Return the optical density to base 10 of two or three stains, (S, H, W), in (3, H, W) RGB.

    A density of 1 leaves a tenth of the light, along the stain's own direction. What two stains do
    not explain goes to a direction at right angles to both, which is dropped. Densities of noise
    may be below 0. Raises `InputError` for other pixels than 8-bit RGB.
    """
    if rgb.ndim != 3 or len(rgb) != 3 or rgb.dtype != np.uint8:
        raise InputError(
            "stains are separated in 8-bit RGB",
            expected="(3, H, W) uint8",
            got=f"{rgb.shape} {rgb.dtype}",
        )
    density = optical_density(rgb) / np.float32(np.log(10))
    amounts = np.tensordot(np.linalg.inv(_directions(stains)).T.astype(np.float32), density, axes=1)
    return np.asarray(amounts[: len(stains)])


def _directions(stains: tuple[tuple[float, float, float], ...]) -> npt.NDArray[np.float64]:
    """Return the stains' directions as (3, 3) unit rows."""
    rows = [np.array(stain) / np.linalg.norm(stain) for stain in stains]
    if len(rows) == 2:
        residual = np.cross(*rows)
        rows.append(residual / np.linalg.norm(residual))
    return np.array(rows)
