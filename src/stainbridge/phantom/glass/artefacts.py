"""What else a scanner sees: pen marks, dust, scale bars, black borders, uneven light."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame
from stainbridge.phantom.space.randomness import compute_axis_centres, derive_key, sample_noise
from stainbridge.types import Points

Light: TypeAlias = npt.NDArray[np.float32]  # (H, W, 3) r, g, b in 0..1
_BITS = 4
_RIM = 8


class Artefact(ABC):
    """Something that changes the light of a read in place; placed by position on the slide,
    whatever is read.
    """

    #: Whether a fluorescence camera sees it too.
    in_dark_field: ClassVar[bool] = False

    @abstractmethod
    def apply(self, light: Light, frame: Frame, slide: Frame) -> None:
        """Change `light` (H, W, 3), read on `frame`, of the slide described by `slide`."""

    def reach_px(self, frame: Frame, slide: Frame) -> int:
        """How many pixels of light around `frame` it depends on."""
        return 0


@dataclass(frozen=True)
class PenMark(Artefact):
    """A stroke of a felt pen along `path`: (x, y) and `width` in shares of the slide's size and
    shorter side.
    """

    path: tuple[tuple[float, float], ...]
    width: float = 0.02
    colour: tuple[float, float, float] = (0.12, 0.32, 0.62)
    opacity: float = 0.85

    def __post_init__(self) -> None:
        if len(self.path) < 2:
            raise InputError("a pen mark needs at least two points", got=len(self.path))

    def apply(self, light: Light, frame: Frame, slide: Frame) -> None:
        """Draw the stroke."""
        cover, around = _canvas(frame)
        points = np.array(self.path) * slide.size_um
        width_px = max(1, round(self.width * min(slide.size_um) / frame.mpp[0]))
        cv2.polylines(cover, [_fixed(around, points)], False, 255, width_px, cv2.LINE_AA, _BITS)
        where, share = _drawn(cover)
        light[where] *= 1 - self.opacity * share * (1 - np.array(self.colour, np.float32))


@dataclass(frozen=True)
class Dust(Artefact):
    """`count` dark specks of about `radius_um`, scattered over the slide by `seed`."""

    in_dark_field: ClassVar[bool] = True
    count: int = 25
    radius_um: float = 25.0
    seed: int = 0

    def apply(self, light: Light, frame: Frame, slide: Frame) -> None:
        """Draw the specks."""
        rng = np.random.default_rng(derive_key(self.seed, "dust"))
        cover, around = _canvas(frame)
        turn = np.linspace(0, 2 * np.pi, 12, endpoint=False)
        for _ in range(self.count):
            middle = rng.uniform(size=2) * slide.size_um
            radius = self.radius_um * rng.uniform(0.3, 1.6) * rng.uniform(0.5, 1.3, len(turn))
            outline = (
                middle
                + np.stack([np.cos(turn), rng.uniform(0.4, 1) * np.sin(turn)], axis=1)
                * radius[:, None]
            )
            cv2.fillPoly(
                cover, [_fixed(around, outline)], int(rng.integers(120, 230)), cv2.LINE_AA, _BITS
            )
        where, share = _drawn(cover)
        light[where] *= 1 - share


@dataclass(frozen=True)
class ScaleBar(Artefact):
    """A burnt-in scale bar with its length, at the lower left."""

    length_um: float = 500.0

    def __post_init__(self) -> None:
        if not self.length_um > 0:
            raise InputError("a scale bar needs a length", got=self.length_um)

    def apply(self, light: Light, frame: Frame, slide: Frame) -> None:
        """Draw the bar in a white box."""
        width_um, height_um = slide.size_um
        unit = 0.01 * min(width_um, height_um)
        box = np.array(
            [[2 * unit, height_um - 9 * unit], [6 * unit + self.length_um, height_um - 2 * unit]]
        )
        bar = np.array(
            [[4 * unit, height_um - 4 * unit], [4 * unit + self.length_um, height_um - 3.2 * unit]]
        )
        for corners, level in ((box, 1.0), (bar, 0.0)):
            low, high = (np.rint(frame.to_px(corner[None])[0]).astype(int) for corner in corners)
            light[max(low[1], 0) : max(high[1], 0), max(low[0], 0) : max(high[0], 0)] = level
        cover, around = _canvas(frame)
        text = f"{self.length_um:g} um"
        anchor = np.rint(around.to_px(np.array([[4 * unit, height_um - 5 * unit]]))[0]).astype(int)
        size = max(unit / frame.mpp[0] / 13, 0.15)
        cv2.putText(
            cover,
            text,
            anchor.tolist(),
            cv2.FONT_HERSHEY_SIMPLEX,
            size,
            255,
            max(1, round(size * 2)),
        )
        where, share = _drawn(cover)
        light[where] *= 1 - share


@dataclass(frozen=True)
class BlackBorder(Artefact):
    """Black stripes where the scanner saw nothing: shares of the slide's size at left, top, right,
    bottom.
    """

    shares: tuple[float, float, float, float] = (0.0, 0.02, 0.03, 0.0)

    def __post_init__(self) -> None:
        if not all(0 <= share < 0.5 for share in self.shares):
            raise InputError("border shares must be in [0, 0.5)", got=self.shares)

    def apply(self, light: Light, frame: Frame, slide: Frame) -> None:
        """Blacken the stripes."""
        x, y = (c / size for c, size in zip(compute_axis_centres(frame), slide.size_um, strict=True))
        left, top, right, bottom = self.shares
        light[:, (x < left) | (x > 1 - right)] = 0.0
        light[(y < top) | (y > 1 - bottom)] = 0.0


@dataclass(frozen=True)
class UnevenLight(Artefact):
    """Light that varies smoothly over the slide by about `amount`, and falls off in each of the
    scanner's stripes.
    """

    in_dark_field: ClassVar[bool] = True
    amount: float = 0.05
    stripe_um: float = 700.0
    seed: int = 0

    def apply(self, light: Light, frame: Frame, slide: Frame) -> None:
        """Multiply by the light."""
        broad = sample_noise(frame, 0.5 * max(slide.size_um), derive_key(self.seed, "light"))
        x, _ = compute_axis_centres(frame)
        stripe = np.abs((x / self.stripe_um) % 1 - 0.5).astype(np.float32)
        light *= (
            1 + self.amount * (0.6 * np.clip(broad, -2, 1) - 1.2 * stripe[None, :] ** 2 - 0.2)
        )[..., None]


def _canvas(frame: Frame) -> tuple[npt.NDArray[np.uint8], Frame]:
    """A blank plane to draw on, a little larger than `frame` because OpenCV draws edges differently
    at the rim.
    """
    around = frame.crop(-_RIM, -_RIM, frame.width + 2 * _RIM, frame.height + 2 * _RIM)
    return np.zeros((around.height, around.width), np.uint8), around


def _drawn(cover: npt.NDArray[np.uint8]) -> tuple[tuple[slice, slice], Light]:
    """The part of the frame itself that was drawn on, and how much there, (h, w, 1) in 0..1."""
    inner = cover[_RIM:-_RIM, _RIM:-_RIM]
    x, y, width, height = cv2.boundingRect(inner)
    where = slice(y, y + height), slice(x, x + width)
    return where, np.asarray(inner[where][..., None] / np.float32(255), np.float32)


def _fixed(frame: Frame, points_um: Points) -> npt.NDArray[np.int32]:
    """Points in OpenCV's fixed-point pixels, whose zero is a pixel's centre."""
    return np.asarray(np.rint((frame.to_px(points_um) - 0.5) * 2**_BITS), np.int32)
