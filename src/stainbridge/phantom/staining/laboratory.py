"""How one laboratory and its scanner render dyes: Beer–Lambert for bright field, emission for
fluorescence.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from stainbridge.errors import InputError
from stainbridge.phantom.staining.stain import Stain


@dataclass(frozen=True)
class Laboratory:
    """How one laboratory and scanner render a stain.

    `strength` scales the dyes, `hue` (3,) tilts each dye's red and blue density, `glass` is the
    colour (r, g, b) of bare glass in 0..1, `noise` the sensor noise in grey levels. `background` is
    unspecific staining: how much of the third dye goes with a unit of the first. `contrast` (3,) is
    the scanner's gamma by channel.
    """

    strength: tuple[float, float, float] = (1.0, 1.0, 1.0)
    hue: tuple[float, float, float] = (0.0, 0.0, 0.0)
    glass: tuple[float, float, float] = (0.955, 0.953, 0.958)
    noise: float = 1.2
    background: float = 0.0
    contrast: tuple[float, float, float] = (1.0, 1.0, 1.0)

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
        """A random laboratory; `variation` 0 is the reference one, 1 spans what is seen between
        institutes.

        A `faint` one gives the dyes a third to a half of their strength, as immunostains often come
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


#: The laboratory the dyes' colours were chosen for.
REFERENCE = Laboratory()
#: What a dark-field camera sees of no light at all.
DARK = 0.012


def compute_densities(stain: Stain, laboratory: Laboratory) -> npt.NDArray[np.float32]:
    """Optical densities (3 dyes, 3 channels r, g, b) of the stain as this laboratory renders it."""
    density = np.array([dye.colour for dye in stain.dyes])
    tilt = 1 + np.outer(laboratory.hue, (1.0, 0.0, -1.0))
    density = density * tilt * np.array(laboratory.strength)[:, None]
    if stain.antibody:
        density[0] += laboratory.background * density[2]
    # A power of the light is a factor on its density.
    return np.asarray(density * laboratory.contrast, np.float32)


def transmit_light(
    amounts: npt.NDArray[np.float32], density: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Light let through, (H, W, 3) r, g, b in 0..1, by dye amounts (H, W, 3): Beer–Lambert."""
    optical = cv2.transform(amounts, np.ascontiguousarray(-density.T))
    return np.asarray(cv2.exp(optical, dst=optical))


def render_light(
    amounts: npt.NDArray[np.float32], stain: Stain, laboratory: Laboratory
) -> npt.NDArray[np.float32]:
    """What the camera sees of dye amounts (H, W, 3), in 0..1: r, g, b, or one channel a dye when
    fluorescent.
    """
    if stain.fluorescent:
        return np.asarray(
            DARK + 1 - transmit_light(amounts, np.diag(np.asarray(laboratory.strength, np.float32)))
        )
    light = transmit_light(amounts, compute_densities(stain, laboratory))
    light *= np.array(laboratory.glass, np.float32)
    return light
