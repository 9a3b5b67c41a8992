"""Stains that do not exist: every material and kind of nucleus takes up dyes of any colour.

After Hoffmann et al. 2022, "SynthMorph: learning contrast-invariant registration without acquired
images", doi:10.1109/TMI.2021.3116879: a network trained on such pictures learns shape, not colour.
"""

from __future__ import annotations

import numpy as np

from stainbridge.phantom.staining.stain import Dye, Stain, Uptake
from stainbridge.phantom.tissue.materials import Materials
from stainbridge.phantom.tissue.nuclei import NUCLEUS_CLASSES

#: The stain name that stands for random colours.
RANDOM_STAIN = "random"
#: The share of random stains that are fluorescent.
_FLUORESCENT_SHARE = 0.2


def sample_stain(rng: np.random.Generator) -> Stain:
    """Return a stain of random colours; a fifth of them are fluorescent."""
    dyes = tuple(Dye(f"dye {n}", _to_triple(rng.uniform(0.03, 1.1, 3))) for n in range(3))
    uptake = {name: _sample_uptake(rng, 0.9) for name in Materials.__dataclass_fields__}
    names = [c.name for c in NUCLEUS_CLASSES]
    positive_shares = {name: float(rng.uniform()) for name in names if rng.uniform() < 0.3}
    membrane_uptake = {
        name: float(rng.uniform(0, 1.2)) for name in ("epithelium", "tumour") if rng.uniform() < 0.2
    }
    return Stain(
        RANDOM_STAIN,
        (dyes[0], dyes[1], dyes[2]),
        uptake,
        float(rng.uniform(0, 1.8)),
        positive_shares,
        _sample_uptake(rng, 1.6),
        membrane_uptake,
        patchiness=float(rng.uniform(0, 0.4)),
        weakness=float(rng.uniform(0, 0.8)),
        fluorescent=bool(rng.uniform() < _FLUORESCENT_SHARE),
    )


def _sample_uptake(rng: np.random.Generator, largest: float) -> Uptake:
    """Return amounts of the three dyes: often little, now and then much."""
    return _to_triple(largest * rng.uniform(size=3) ** 2)


def _to_triple(values: np.typing.NDArray[np.floating]) -> Uptake:
    return float(values[0]), float(values[1]), float(values[2])
