"""What changes light on its way: air bubbles under the coverslip, parts out of focus."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import cv2
import numpy as np

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame
from stainbridge.phantom.glass.artefacts import Artefact, Light
from stainbridge.phantom.space.crop import FloatArray, crop_to_box
from stainbridge.phantom.space.randomness import derive_key, sample_noise
from stainbridge.types import Plane

#: A blur of a smaller deviation than this, in pixels, is not seen.
_MIN_BLUR_PX = 0.3
#: Harmonics of a bubble's rim: waves around it, and their amplitude as a share of its radius.
_RIM_HARMONICS = ((2, 0.08), (3, 0.05), (5, 0.02))


@dataclass(frozen=True)
class Bubble(Artefact):
    """An air bubble with a dark and a bright rim.

    Raises `InputError` for a radius that is not positive.
    """

    centre: tuple[float, float]
    """The centre, (x, y) in shares of the slide's size."""
    radius: float
    """The radius, in shares of the slide's shorter side."""
    seed: int = 0
    """Seed of the rim's shape."""

    def __post_init__(self) -> None:
        if not self.radius > 0:
            raise InputError("a bubble needs a radius", got=self.radius)

    def apply(self, light: Light, frame: Frame, slide: Frame) -> None:
        """Draw it pale, with a dark rim, a bright line within and a soft shadow around."""
        radius = self.radius * min(slide.size_um)
        centre = np.multiply(self.centre, slide.size_um)
        crop = crop_to_box(frame, (centre - 1.6 * radius, centre + 1.6 * radius))
        if crop is None:
            return
        depth = self._measure_depth(crop.frame, centre, radius)
        width = 0.035 * radius
        inside = np.clip(0.5 + depth / width, 0, 1)
        dark = np.exp(-((depth / width) ** 2))
        bright = np.exp(-(((depth - 2.4 * width) / width) ** 2))
        shadow = np.where(depth < 0, np.exp(np.minimum(depth, 0) / (4 * width)), 0)
        part = light[crop.window]
        part += 0.22 * inside[..., None] * (0.93 - part)
        part *= ((1 - 0.72 * dark) * (1 + 0.10 * bright) * (1 - 0.12 * shadow))[..., None]

    def _measure_depth(self, frame: Frame, centre: FloatArray, radius: float) -> Plane:
        """Return the depth in µm below the bubble's slightly wavy rim, (H, W)."""
        dx, dy = (frame.centres_um() - centre).T.astype(np.float32)
        rng = np.random.default_rng(derive_key(self.seed, "bubble"))
        angle = np.arctan2(dy, dx)
        rim = np.float32(radius)
        for waves, amplitude in _RIM_HARMONICS:
            rim = rim + radius * amplitude * np.sin(waves * angle + rng.uniform(0, 2 * np.pi))
        return np.asarray(rim - np.hypot(dx, dy), np.float32).reshape(frame.height, frame.width)


@dataclass(frozen=True)
class OutOfFocus(Artefact):
    """Blur in parts of the slide.

    Raises `InputError` for values out of range.
    """

    sigma_um: float = 4.0
    """Largest standard deviation of the blur."""
    share: float = 0.3
    """About the share of the slide that is blurred, 0 to 1."""
    seed: int = 0
    """Seed of the blurred parts."""
    in_dark_field: ClassVar[bool] = True
    """A fluorescence camera sees it."""

    def __post_init__(self) -> None:
        if not self.sigma_um > 0 or not 0 <= self.share <= 1:
            raise InputError(
                "blur out of range",
                expected="sigma_um > 0, share 0 to 1",
                got=(self.sigma_um, self.share),
            )

    def reach_px(self, frame: Frame) -> int:
        """Return three standard deviations."""
        sigma_px = self.sigma_um / frame.mpp[0]
        return int(np.ceil(3 * sigma_px)) if sigma_px > _MIN_BLUR_PX else 0

    def apply(self, light: Light, frame: Frame, slide: Frame) -> None:
        """Mix the light with its blur where it is out of focus."""
        sigma_px = self.sigma_um / frame.mpp[0]
        if sigma_px <= _MIN_BLUR_PX:
            return
        key = derive_key(self.seed, "focus")
        waves = sample_noise(frame, 0.25 * min(slide.size_um), key)
        # The noise is about normal: the level that a share of it exceeds, by the logistic
        # approximation.
        level = np.log((1 - self.share + 1e-3) / (self.share + 1e-3)) / 1.702
        blurred = np.clip((waves - level) * 2 + 0.5, 0, 1)[..., None]
        if blurred.any():
            change = cv2.GaussianBlur(light, (0, 0), sigma_px, borderType=cv2.BORDER_REPLICATE)
            change -= light
            change *= blurred
            light += change
