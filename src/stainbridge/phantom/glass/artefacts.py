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
from stainbridge.phantom.space.crop import FloatArray, Window
from stainbridge.phantom.space.randomness import compute_axis_centres, derive_key, sample_noise
from stainbridge.types import Points

Light: TypeAlias = npt.NDArray[np.float32]  # (H, W, 3) r, g, b in 0..1
Canvas: TypeAlias = npt.NDArray[np.uint8]  # (H, W) how much is covered

#: Fractional bits of OpenCV's fixed-point coordinates.
_SUBPIXEL_BITS = 4
#: Pixels drawn around a frame and cut off, because OpenCV draws differently at the edge.
_EDGE_PX = 8


class Artefact(ABC):
    """Something that changes the light of a read in place.

    It has its place on the slide, whatever part is read.
    """

    in_dark_field: ClassVar[bool] = False
    """Whether a fluorescence camera sees it too."""

    @abstractmethod
    def apply(self, light: Light, frame: Frame, slide: Frame) -> None:
        """Change `light`, read on `frame`, a frame of the slide `slide`."""

    def reach_px(self, frame: Frame) -> int:  # noqa: ARG002  most artefacts do not reach
        """Return how many pixels around a pixel of `frame` can change it."""
        return 0


@dataclass(frozen=True)
class PenMark(Artefact):
    """A stroke of a felt pen.

    Raises `InputError` for fewer than two points.
    """

    path: tuple[tuple[float, float], ...]
    """The points of the stroke, (x, y) in shares of the slide's size."""
    width: float = 0.02
    """The width, in shares of the slide's shorter side."""
    colour: tuple[float, float, float] = (0.12, 0.32, 0.62)
    """The ink, (r, g, b) in 0..1."""
    opacity: float = 0.85
    """How much of the light the ink changes, 0 to 1."""

    def __post_init__(self) -> None:
        if len(self.path) < 2:
            raise InputError("a pen mark needs at least two points", got=len(self.path))

    def apply(self, light: Light, frame: Frame, slide: Frame) -> None:
        """Draw the stroke."""
        canvas, canvas_frame = _make_canvas(frame)
        points = _to_fixed_point(canvas_frame, np.array(self.path) * slide.size_um)
        width_px = max(1, round(self.width * min(slide.size_um) / frame.mpp[0]))
        cv2.polylines(canvas, [points], False, 255, width_px, cv2.LINE_AA, _SUBPIXEL_BITS)
        window, cover = _crop_drawn(canvas)
        light[window] *= 1 - self.opacity * cover * (1 - np.array(self.colour, np.float32))


@dataclass(frozen=True)
class Dust(Artefact):
    """Dark specks, scattered over the slide."""

    in_dark_field: ClassVar[bool] = True
    """A fluorescence camera sees them."""
    count: int = 25
    """How many specks."""
    radius_um: float = 25.0
    """About their radius."""
    seed: int = 0
    """Seed of their places and shapes."""

    def apply(self, light: Light, frame: Frame, slide: Frame) -> None:
        """Draw the specks."""
        rng = np.random.default_rng(derive_key(self.seed, "dust"))
        canvas, canvas_frame = _make_canvas(frame)
        for _ in range(self.count):
            outline = _to_fixed_point(canvas_frame, self._sample_outline(rng, slide))
            level = int(rng.integers(120, 230))
            cv2.fillPoly(canvas, [outline], level, cv2.LINE_AA, _SUBPIXEL_BITS)
        window, cover = _crop_drawn(canvas)
        light[window] *= 1 - cover

    def _sample_outline(self, rng: np.random.Generator, slide: Frame) -> Points:
        """Return a ragged ellipse somewhere on the slide, (12, 2) µm."""
        angle = np.linspace(0, 2 * np.pi, 12, endpoint=False)
        centre = rng.uniform(size=2) * slide.size_um
        radius = self.radius_um * rng.uniform(0.3, 1.6) * rng.uniform(0.5, 1.3, len(angle))
        flatness = rng.uniform(0.4, 1)
        unit = np.stack([np.cos(angle), flatness * np.sin(angle)], axis=1)
        return np.asarray(centre + unit * radius[:, None])


@dataclass(frozen=True)
class ScaleBar(Artefact):
    """A burnt-in scale bar with its length, at the lower left.

    Raises `InputError` for a length that is not positive.
    """

    length_um: float = 500.0
    """The length that the bar shows."""

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
        _fill_rectangle(light, frame, box, 1.0)
        _fill_rectangle(light, frame, bar, 0.0)
        self._write_length(light, frame, np.array([[4 * unit, height_um - 5 * unit]]), unit)

    def _write_length(self, light: Light, frame: Frame, anchor_um: Points, unit_um: float) -> None:
        """Write the length with its lower left corner at the anchor, (1, 2)."""
        canvas, canvas_frame = _make_canvas(frame)
        text = f"{self.length_um:g} um"
        anchor = np.rint(canvas_frame.to_px(anchor_um)[0]).astype(int).tolist()
        size = max(unit_um / frame.mpp[0] / 13, 0.15)
        thickness = max(1, round(size * 2))
        cv2.putText(canvas, text, anchor, cv2.FONT_HERSHEY_SIMPLEX, size, 255, thickness)
        window, cover = _crop_drawn(canvas)
        light[window] *= 1 - cover


@dataclass(frozen=True)
class BlackBorder(Artefact):
    """Black stripes where the scanner saw nothing.

    Raises `InputError` for shares outside [0, 0.5).
    """

    shares: tuple[float, float, float, float] = (0.0, 0.02, 0.03, 0.0)
    """Width of the stripes at left, top, right, bottom, in shares of the slide's size."""

    def __post_init__(self) -> None:
        if not all(0 <= share < 0.5 for share in self.shares):
            raise InputError("border shares must be in [0, 0.5)", got=self.shares)

    def apply(self, light: Light, frame: Frame, slide: Frame) -> None:
        """Blacken the stripes."""
        centres = compute_axis_centres(frame)
        x, y = (axis / size for axis, size in zip(centres, slide.size_um, strict=True))
        left, top, right, bottom = self.shares
        light[:, (x < left) | (x > 1 - right)] = 0.0
        light[(y < top) | (y > 1 - bottom)] = 0.0


@dataclass(frozen=True)
class UnevenLight(Artefact):
    """Light that varies smoothly over the slide, and falls off in each of the scanner's stripes."""

    in_dark_field: ClassVar[bool] = True
    """A fluorescence camera sees it."""
    amount: float = 0.05
    """About how much the light varies, as a share."""
    stripe_um: float = 700.0
    """Width of a scanner's stripe."""
    seed: int = 0
    """Seed of the smooth variation."""

    def apply(self, light: Light, frame: Frame, slide: Frame) -> None:
        """Multiply by the light."""
        key = derive_key(self.seed, "light")
        smooth = np.clip(sample_noise(frame, 0.5 * max(slide.size_um), key), -2, 1)
        x, _ = compute_axis_centres(frame)
        stripe = np.abs((x / self.stripe_um) % 1 - 0.5).astype(np.float32)
        variation = 0.6 * smooth - 1.2 * stripe[None, :] ** 2 - 0.2
        light *= (1 + self.amount * variation)[..., None]


def _make_canvas(frame: Frame) -> tuple[Canvas, Frame]:
    """Return a blank canvas a little larger than `frame`, and its frame."""
    width = frame.width + 2 * _EDGE_PX
    height = frame.height + 2 * _EDGE_PX
    return np.zeros((height, width), np.uint8), frame.crop(-_EDGE_PX, -_EDGE_PX, width, height)


def _crop_drawn(canvas: Canvas) -> tuple[Window, Light]:
    """Return the part of the frame that was drawn on, and how much there, (h, w, 1) in 0..1."""
    inner = canvas[_EDGE_PX:-_EDGE_PX, _EDGE_PX:-_EDGE_PX]
    x, y, width, height = cv2.boundingRect(inner)
    window = slice(y, y + height), slice(x, x + width)
    return window, np.asarray(inner[window][..., None] / np.float32(255), np.float32)


def _fill_rectangle(light: Light, frame: Frame, corners_um: FloatArray, level: float) -> None:
    """Set the light between two corners, (2, 2) µm, to a level."""
    low, high = (np.rint(frame.to_px(corner[None])[0]).astype(int) for corner in corners_um)
    light[max(low[1], 0) : max(high[1], 0), max(low[0], 0) : max(high[0], 0)] = level


def _to_fixed_point(frame: Frame, points_um: Points) -> npt.NDArray[np.int32]:
    """Return points in OpenCV's fixed-point pixels, whose zero is a pixel's centre."""
    return np.asarray(np.rint((frame.to_px(points_um) - 0.5) * 2**_SUBPIXEL_BITS), np.int32)
