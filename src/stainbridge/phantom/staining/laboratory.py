"""How one laboratory and its scanner render dyes.

Dyes absorb light in bright field (Beer–Lambert), and emit it in fluorescence.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from stainbridge.errors import InputError
from stainbridge.phantom.staining.stain import DyeAmounts, Stain


@dataclass(frozen=True)
class Laboratory:
    """How one laboratory and its scanner render a stain.

    Raises `InputError` for values that cannot be rendered.
    """

    strength: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """Factor on the amount of each dye."""
    hue: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Tilt of each dye's density from blue to red."""
    glass: tuple[float, float, float] = (0.955, 0.953, 0.958)
    """Colour of bare glass, (r, g, b) in 0..1."""
    noise: float = 1.2
    """Sensor noise in grey levels."""
    background: float = 0.0
    """Unspecific staining: how much of the third dye goes with a unit of the first."""
    contrast: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """The scanner's gamma by channel."""

    def __post_init__(self) -> None:
        if min(self.strength) <= 0 or min(self.contrast) <= 0:
            raise InputError(
                "dye strengths and contrasts must be positive", got=(self.strength, self.contrast)
            )
        if not all(0 < level <= 1 for level in self.glass):
            raise InputError("glass colour must lie in (0, 1]", got=self.glass)
        if self.noise < 0 or self.background < 0:
            raise InputError(
                "noise and background must not be negative", got=(self.noise, self.background)
            )

    @classmethod
    def sample(cls, rng: np.random.Generator, variation: float, faint: bool = False) -> Laboratory:
        """Return a random laboratory.

        `variation` 0 gives the reference laboratory, 1 spans what is seen between institutes. A
        `faint` one gives the dyes a third to a half of their strength, as immunostains often come
        out.
        """
        strength = np.exp(0.22 * variation * rng.standard_normal(3).clip(-2, 2))
        hue = 0.10 * variation * rng.standard_normal(3).clip(-2, 2)
        base = 0.955 + 0.012 * variation * rng.standard_normal()
        tint = 0.004 * variation * rng.standard_normal(3)
        glass = np.clip(base + tint, 0.86, 0.99)
        background = float(0.12 * variation * rng.uniform() ** 2)
        contrast = np.exp(0.05 * variation * rng.standard_normal(3).clip(-2, 2))
        strength *= rng.uniform(0.33, 0.55) if faint else 1.0
        return cls(
            tuple(strength.tolist()),
            tuple(hue.tolist()),
            tuple(glass.tolist()),
            background=background,
            contrast=tuple(contrast.tolist()),
        )


#: The laboratory that the dyes' colours were chosen for.
REFERENCE = Laboratory()
#: What a fluorescence camera sees without any light, in 0..1.
DARK = 0.012


def compute_densities(stain: Stain, laboratory: Laboratory) -> npt.NDArray[np.float32]:
    """Return the optical densities, (3 dyes, 3 channels r, g, b), of a stain in a laboratory."""
    density = np.array([dye.colour for dye in stain.dyes])
    tilt = 1 + np.outer(laboratory.hue, (1.0, 0.0, -1.0))
    density = density * tilt * np.array(laboratory.strength)[:, None]
    if stain.is_immunostain:
        density[0] += laboratory.background * density[2]
    # A power of the light is a factor on its density.
    return np.asarray(density * laboratory.contrast, np.float32)


def transmit_light(
    amounts: DyeAmounts, density: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Return the light, (H, W, 3) r, g, b in 0..1, that dye amounts let through: Beer–Lambert."""
    optical = cv2.transform(amounts, np.ascontiguousarray(-density.T))
    return np.asarray(cv2.exp(optical, dst=optical))


def render_light(
    amounts: DyeAmounts, stain: Stain, laboratory: Laboratory
) -> npt.NDArray[np.float32]:
    """Return what the camera sees of dye amounts, (H, W, 3) in 0..1.

    The channels are r, g, b in bright field, and one for each dye in fluorescence.
    """
    if stain.fluorescent:
        strength = np.diag(np.asarray(laboratory.strength, np.float32))
        return np.asarray(DARK + 1 - transmit_light(amounts, strength))
    light = transmit_light(amounts, compute_densities(stain, laboratory))
    light *= np.array(laboratory.glass, np.float32)
    return light
