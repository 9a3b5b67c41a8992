"""Stains: dyes, what takes them up, and the colour they give (Beer–Lambert)."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt

from stainbridge.errors import InputError
from stainbridge.phantom.materials import Materials
from stainbridge.types import Plane

#: Optical density (r, g, b) of one unit of dye. Directions after Ruifrok and Johnston 2001, "Quantification of
#: histochemical staining by color deconvolution", eosin as scanners see it (less saturated).
DYES = {
    "hematoxylin": (0.62, 0.76, 0.34),
    "eosin": (0.17, 0.86, 0.46),
    "erythrocyte": (0.14, 0.92, 0.72),
    "dab": (0.42, 0.62, 0.80),
}

Uptake = tuple[float, float, float]


@dataclass(frozen=True)
class Stain:
    """A stain of three dyes.

    `uptake` gives how much of each dye a material takes up (absent: none). Nuclei take up `nuclei` of the first dye,
    or, when positive, `positive_nuclei` of the three; `positive` is the share of positive nuclei by nucleus class.
    """

    name: str
    dyes: tuple[str, str, str]
    uptake: dict[str, Uptake] = field(hash=False)
    nuclei: float
    positive: dict[str, float] = field(hash=False, default_factory=dict)
    positive_nuclei: Uptake = (0.0, 0.0, 0.0)


_COUNTERSTAIN: dict[str, Uptake] = {
    "stroma": (0.055, 0, 0.012),
    "muscle": (0.085, 0, 0.02),
    "epithelium": (0.12, 0, 0.015),
    "tumour": (0.15, 0, 0.015),
    "apical": (0.05, 0, 0.01),
    "basement": (0.07, 0, 0.01),
    "secretion": (0.05, 0, 0.02),
    "wall": (0.09, 0, 0.02),
    "endothelium": (0.10, 0, 0.0),
    "blood": (0.03, 0, 0.06),
    "fat_membrane": (0.06, 0, 0.01),
    "lymphoid": (0.16, 0, 0.015),
    "necrosis": (0.10, 0, 0.07),
}

_IHC_DYES = ("hematoxylin", "eosin", "dab")

STAINS = {
    stain.name: stain
    for stain in (
        Stain(
            "HE",
            ("hematoxylin", "eosin", "erythrocyte"),
            {
                "stroma": (0.04, 0.36, 0),
                "muscle": (0.07, 0.62, 0),
                "epithelium": (0.22, 0.40, 0),
                "tumour": (0.36, 0.34, 0),
                "apical": (0.10, 0.17, 0),
                "basement": (0.06, 0.50, 0),
                "secretion": (0.02, 0.36, 0),
                "wall": (0.06, 0.58, 0),
                "endothelium": (0.10, 0.45, 0),
                "blood": (0.0, 0.30, 0.70),
                "fat_membrane": (0.04, 0.36, 0),
                "lymphoid": (0.24, 0.22, 0),
                "necrosis": (0.10, 0.62, 0),
            },
            1.75,
        ),
        Stain(
            "Ki67",
            _IHC_DYES,
            _COUNTERSTAIN,
            0.75,
            {"epithelium": 0.14, "tumour": 0.62, "lymphocyte": 0.10, "centre": 0.8, "spindle": 0.03, "duct": 0.06},
            (0.25, 0, 1.75),
        ),
        Stain(
            "PanCK",
            _IHC_DYES,
            _COUNTERSTAIN
            | {"epithelium": (0.10, 0, 0.95), "tumour": (0.12, 0, 0.80), "apical": (0.06, 0, 0.62)}
            | {"basement": (0.08, 0, 0.35), "necrosis": (0.10, 0, 0.35)},
            0.80,
        ),
        Stain("CD31", _IHC_DYES, _COUNTERSTAIN | {"endothelium": (0.05, 0, 1.45), "wall": (0.10, 0, 0.10)}, 0.80),
    )
}


def stain_named(name: str) -> Stain:
    """The stain of that name in any case. Raises `InputError` for an unknown one."""
    known = {stain.lower(): stain for stain in STAINS}
    if name.lower() not in known:
        raise InputError("unknown stain", expected=", ".join(STAINS), got=name)
    return STAINS[known[name.lower()]]


def stained(stain: Stain, materials: Materials) -> npt.NDArray[np.float32]:
    """Dye amounts outside nuclei, (H, W, 3)."""
    planes = [np.zeros(materials.stroma.shape, np.float32) for _ in range(3)]
    for name, uptake in stain.uptake.items():
        plane: Plane = getattr(materials, name)
        if not plane.any():
            continue
        for dye, share in enumerate(uptake):
            if share:
                planes[dye] += np.float32(share) * plane
    return np.stack(planes, axis=-1)


@dataclass(frozen=True)
class Laboratory:
    """How one laboratory and scanner render a stain.

    `strength` scales the dyes, `hue` (3,) tilts each dye's red and blue density, `glass` is the colour (r, g, b) of
    bare glass in 0..1, `noise` the sensor noise in grey levels.
    """

    strength: tuple[float, float, float] = (1.0, 1.0, 1.0)
    hue: tuple[float, float, float] = (0.0, 0.0, 0.0)
    glass: tuple[float, float, float] = (0.955, 0.953, 0.958)
    noise: float = 1.2

    def __post_init__(self) -> None:
        if min(self.strength) <= 0:
            raise InputError("dye strengths must be positive", got=self.strength)
        if not all(0 < level <= 1 for level in self.glass):
            raise InputError("glass colour must lie in (0, 1]", got=self.glass)
        if self.noise < 0:
            raise InputError("sensor noise must not be negative", got=self.noise)

    @classmethod
    def drawn(cls, rng: np.random.Generator, variation: float) -> Laboratory:
        """A random laboratory; `variation` 0 is the reference one, 1 spans what is seen between institutes."""
        strength = np.exp(0.22 * variation * rng.standard_normal(3).clip(-2, 2))
        hue = 0.10 * variation * rng.standard_normal(3).clip(-2, 2)
        base = 0.955 + 0.012 * variation * rng.standard_normal()
        tint = 0.004 * variation * rng.standard_normal(3)
        glass = np.clip(base + tint, 0.86, 0.99)
        return cls(tuple(strength.tolist()), tuple(hue.tolist()), tuple(glass.tolist()))


#: The laboratory the dyes' colours were chosen for.
REFERENCE = Laboratory()


def colours(stain: Stain, laboratory: Laboratory) -> npt.NDArray[np.float32]:
    """Optical densities (3 dyes, 3 channels r, g, b) of the stain as this laboratory renders it."""
    density = np.array([DYES[dye] for dye in stain.dyes])
    tilt = 1 + np.outer(laboratory.hue, (1.0, 0.0, -1.0))
    return np.asarray(density * tilt * np.array(laboratory.strength)[:, None], np.float32)


def transmit(amounts: npt.NDArray[np.float32], density: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Light let through, (H, W, 3) r, g, b in 0..1, by dye amounts (H, W, 3): Beer–Lambert."""
    optical = cv2.transform(amounts, np.ascontiguousarray(-density.T))
    return np.asarray(cv2.exp(optical))
