"""Stains that do not exist: every material and kind of nucleus takes up any dye of any colour.

After Hoffmann et al. 2022, "SynthMorph: learning contrast-invariant registration without acquired
images", doi:10.1109/TMI.2021.3116879: a network trained on such pictures learns shape, not colour.
"""

from __future__ import annotations

import numpy as np

from stainbridge.phantom.staining.stain import Dye, Stain, Uptake
from stainbridge.phantom.tissue.materials import Materials
from stainbridge.phantom.tissue.nuclei import NUCLEUS_CLASSES

#: The name that stands for a contrast of chance.
RANDOM_STAIN = "random"
_DARK = 0.2  # the share of contrasts that shine on a dark ground


def sample_stain(rng: np.random.Generator) -> Stain:
    """A stain of chance: a fifth of them shine, the others absorb."""
    dyes = tuple(Dye(f"dye {n}", _triple(rng.uniform(0.03, 1.1, 3))) for n in range(3))
    uptake = {name: _uptake(rng, 0.9) for name in Materials.__dataclass_fields__}
    names = [c.name for c in NUCLEUS_CLASSES]
    positive = {name: float(rng.uniform()) for name in names if rng.uniform() < 0.3}
    membranes = {
        name: float(rng.uniform(0, 1.2)) for name in ("epithelium", "tumour") if rng.uniform() < 0.2
    }
    return Stain(
        RANDOM_STAIN,
        (dyes[0], dyes[1], dyes[2]),
        uptake,
        float(rng.uniform(0, 1.8)),
        positive,
        _uptake(rng, 1.6),
        membranes,
        patchy=float(rng.uniform(0, 0.4)),
        weak=float(rng.uniform(0, 0.8)),
        fluorescent=bool(rng.uniform() < _DARK),
    )


def _uptake(rng: np.random.Generator, most: float) -> Uptake:
    """Amounts of the three dyes: often little, now and then much."""
    return _triple(most * rng.uniform(size=3) ** 2)


def _triple(values: np.typing.NDArray[np.floating]) -> Uptake:
    return float(values[0]), float(values[1]), float(values[2])
