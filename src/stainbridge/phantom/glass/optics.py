"""What bends light on its way: air bubbles under the coverslip, parts of the slide out of focus."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import cv2
import numpy as np
import numpy.typing as npt

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame
from stainbridge.phantom.glass.artefacts import Artefact, Light
from stainbridge.phantom.space.crop import crop_to_box
from stainbridge.phantom.space.randomness import derive_key, sample_noise
from stainbridge.types import Plane

#: A blur finer than this many pixels is not seen.
_FINEST_PX = 0.3


@dataclass(frozen=True)
class Bubble(Artefact):
    """An air bubble: centre and radius in shares of the slide's size and shorter side. Its rim is
    dark and bright.
    """

    centre: tuple[float, float]
    radius: float
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.radius > 0:
            raise InputError("a bubble needs a radius", got=self.radius)

    def apply(self, light: Light, frame: Frame, slide: Frame) -> None:
        """Pale inside, with a dark rim, a bright line within it and a soft shadow around."""
        radius = self.radius * min(slide.size_um)
        middle = np.multiply(self.centre, slide.size_um)
        part = crop_to_box(frame, (middle - 1.6 * radius, middle + 1.6 * radius))
        if part is None:
            return
        depth = self._depth(part.frame, middle, radius)
        width = 0.035 * radius
        inside = np.clip(0.5 + depth / width, 0, 1)
        dark = np.exp(-((depth / width) ** 2))
        bright = np.exp(-(((depth - 2.4 * width) / width) ** 2))
        shadow = np.where(depth < 0, np.exp(np.minimum(depth, 0) / (4 * width)), 0)
        here = light[part.window]
        here += 0.22 * inside[..., None] * (0.93 - here)
        here *= ((1 - 0.72 * dark) * (1 + 0.10 * bright) * (1 - 0.12 * shadow))[..., None]

    def _depth(self, frame: Frame, middle: npt.NDArray[np.floating], radius: float) -> Plane:
        """Depth below the bubble's slightly wavy rim, (H, W) µm."""
        dx, dy = (frame.centres_um() - middle).T.astype(np.float32)
        rng = np.random.default_rng(derive_key(self.seed, "bubble"))
        angle, rim = np.arctan2(dy, dx), np.float32(radius)
        for wave, height in ((2, 0.08), (3, 0.05), (5, 0.02)):
            rim = rim + radius * height * np.sin(wave * angle + rng.uniform(0, 2 * np.pi))
        return np.asarray(rim - np.hypot(dx, dy), np.float32).reshape(frame.height, frame.width)


@dataclass(frozen=True)
class OutOfFocus(Artefact):
    """Parts of the slide, about `share` of it, are blurred by up to `sigma_um`."""

    sigma_um: float = 4.0
    share: float = 0.3
    seed: int = 0
    in_dark_field: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not self.sigma_um > 0 or not 0 <= self.share <= 1:
            raise InputError(
                "blur out of range",
                expected="sigma_um > 0, share 0 to 1",
                got=(self.sigma_um, self.share),
            )

    def reach_px(self, frame: Frame, slide: Frame) -> int:
        """Three standard deviations."""
        sigma_px = self.sigma_um / frame.mpp[0]
        return int(np.ceil(3 * sigma_px)) if sigma_px > _FINEST_PX else 0

    def apply(self, light: Light, frame: Frame, slide: Frame) -> None:
        """Mix the light with its blur where it is out of focus."""
        sigma_px = self.sigma_um / frame.mpp[0]
        if sigma_px <= _FINEST_PX:
            return
        waves = sample_noise(frame, 0.25 * min(slide.size_um), derive_key(self.seed, "focus"))
        # The noise is about normal: the level that a share of it exceeds, by the logistic
        # approximation.
        level = np.log((1 - self.share + 1e-3) / (self.share + 1e-3)) / 1.702
        blurred = np.clip((waves - level) * 2 + 0.5, 0, 1)[..., None]
        if blurred.any():
            change = cv2.GaussianBlur(light, (0, 0), sigma_px, borderType=cv2.BORDER_REPLICATE)
            change -= light
            change *= blurred
            light += change
