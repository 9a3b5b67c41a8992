"""Starts of a registration: the slides as given, or the moving one disturbed ("hard").

A hard start crops, scales, rotates, mirrors and shifts the moving slide.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal
from zlib import crc32

import cv2
import numpy as np

from stainbridge.imaging.image import Image
from stainbridge.slides.memory import ArraySlide
from stainbridge.slides.slide import Slide
from stainbridge.types import Mask, Pixels, Points

StartKind = Literal["given", "hard"]
START_KINDS: tuple[StartKind, ...] = ("given", "hard")

#: Pixels along the longer side of a disturbed slide, at most: it is held in memory.
LONGEST_PX = 6000


@dataclass(frozen=True)
class Start:
    """The slides as given, or one of several hard starts."""

    kind: StartKind = "given"
    """The slides as given, or the moving slide disturbed."""
    index: int = 0
    """The number of a hard start, 0 to `count` - 1."""
    count: int = 1
    """How many hard starts spread over 360°."""
    seed: int = 0
    """The seed that hard starts are drawn from."""

    @property
    def name(self) -> str:
        """`given`, or `hard-00` and so on."""
        return "given" if self.kind == "given" else f"hard-{self.index:02d}"

    def generator(self, case: str) -> np.random.Generator:
        """Return a random generator: the same for every method, another for every case."""
        return np.random.default_rng([self.seed, crc32(case.encode()), self.index])


def list_starts(
    kinds: tuple[StartKind, ...], count: int, seed: int, every: int = 1
) -> Iterator[Start]:
    """Yield the start as given and the hard ones, where asked for.

    Hard starts are spread over 360° by `count`; of these one in `every` is taken.
    """
    if "given" in kinds:
        yield Start()
    if "hard" in kinds:
        yield from (Start("hard", index, count, seed) for index in range(0, count, every))


@dataclass(frozen=True, eq=False)
class DisturbedImage:
    """An image after `disturb`, with its landmarks."""

    pixels: Pixels
    """(C, H, W) on the new canvas."""
    points_px: Points
    """(N, 2) landmarks in pixels of the canvas, those that were not cropped away."""
    inside: Mask
    """(M,) which of the original landmarks these are."""


def draw_rotation_and_flip(index: int, count: int, rng: np.random.Generator) -> tuple[float, bool]:
    """Draw the degrees and the flip of hard start `index` of `count`.

    Rotations spread over 360°, and every second one is mirrored; a single one by chance.
    """
    rotations = (count + 1) // 2
    degrees = (index // 2 + float(rng.uniform(0, 1))) * 360 / rotations
    return degrees, bool(index % 2) if count > 1 else bool(rng.random() < 0.5)


def disturb(
    image: Image,
    points_px: Points,
    degrees: float,
    flip: bool,
    rng: np.random.Generator,
    background: float = 255.0,
) -> DisturbedImage:
    """Crop an image to 70-100 % of its area, scale it by 0.7-1.4, mirror, rotate and shift it.

    The shift is up to 25 % of the result, on a canvas of grey value `background`. `points_px` are
    (M, 2) in pixels of `image`, 0 its corner; those that are cropped away are left out.
    """
    height, width = image.pixels.shape[1:]
    side = np.sqrt(rng.uniform(0.7, 1.0))
    size = np.array([int(width * side), int(height * side)])
    corner = np.array([rng.integers(0, width - size[0] + 1), rng.integers(0, height - size[1] + 1)])
    inside = ((points_px >= corner) & (points_px < corner + size)).all(axis=1)
    scale = rng.uniform(0.7, 1.4)
    angle = np.radians(degrees)
    linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = linear @ np.diag([-1 if flip else 1, 1])
    extent = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * size @ linear.T
    span = np.ceil(np.ptp(extent, axis=0))
    room = rng.uniform(0, 0.25, 2) * span
    shift = 5 - extent.min(axis=0) + np.where(rng.random(2) < 0.5, room, 0)
    canvas = np.ceil(span + room + 10).astype(int)
    crop = image.pixels[:, corner[1] : corner[1] + size[1], corner[0] : corner[0] + size[0]]
    # OpenCV counts from the centre of the first pixel.
    matrix = np.c_[linear, shift + linear @ [0.5, 0.5] - 0.5]
    pixels = np.stack([_warp_plane(plane, matrix, canvas, scale, background) for plane in crop])
    return DisturbedImage(pixels, (points_px[inside] - corner) @ linear.T + shift, inside)


def _warp_plane(
    plane: np.ndarray, matrix: np.ndarray, canvas: np.ndarray, scale: float, background: float
) -> np.ndarray:
    """Warp one channel (h, w) by `matrix` onto a canvas of (width, height)."""
    smooth = cv2.GaussianBlur(plane, (0, 0), 0.5 * (1 / scale - 1) + 0.01) if scale < 1 else plane
    size = (int(canvas[0]), int(canvas[1]))
    return np.asarray(
        cv2.warpAffine(np.ascontiguousarray(smooth), matrix, size, borderValue=background)
    )


def draw_hard_start(
    moving: Slide, points_px: Points, start: Start, case: str
) -> tuple[ArraySlide, Points, Mask]:
    """Disturb the moving slide as `start` says.

    Returns the new slide, its landmarks (N, 2) in its pixels, and which of the (M,) given ones
    these are. The new slide has no pixel size: a method has to find its scale.
    """
    rng = start.generator(case)
    frame = moving.frame.fit(LONGEST_PX)
    degrees, flip = draw_rotation_and_flip(start.index, start.count, rng)
    background = 255.0 if moving.info.is_rgb else 0.0
    frame_points = frame.to_px(moving.frame.to_um(points_px))
    disturbed = disturb(moving.read(frame), frame_points, degrees, flip, rng, background)
    name = f"{start.name}: {degrees:.0f}°{', mirrored' if flip else ''}"
    slide = ArraySlide(disturbed.pixels, name=name, stain=moving.stain)
    return slide, disturbed.points_px, disturbed.inside
