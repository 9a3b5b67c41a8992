"""Where a registration starts: the slides as given, or the moving one cropped, scaled, turned,
mirrored and shifted.
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
STARTS: tuple[StartKind, ...] = ("given", "hard")

#: A hard start holds the moving slide in memory, at no more than this.
LONGEST_PX = 6000


@dataclass(frozen=True)
class Start:
    """The slides as given, or hard start number `index` of `count` that are spread over 360°, drawn
    from `seed`.
    """

    kind: StartKind = "given"
    index: int = 0
    count: int = 1
    seed: int = 0

    @property
    def name(self) -> str:
        """`given`, or `hard-00` and so on."""
        return "given" if self.kind == "given" else f"hard-{self.index:02d}"

    def generator(self, case: str) -> np.random.Generator:
        """What this start is drawn from: the same for every method, another for every case."""
        return np.random.default_rng([self.seed, crc32(case.encode()), self.index])


def starts(kinds: tuple[StartKind, ...], count: int, seed: int) -> Iterator[Start]:
    """The start as given, and `count` hard ones, where asked for."""
    if "given" in kinds:
        yield Start()
    if "hard" in kinds:
        yield from (Start("hard", index, count, seed) for index in range(count))


@dataclass(frozen=True, eq=False)
class Disturbed:
    """`pixels` (C, H, W) on their new canvas, the landmarks (N, 2) in its pixels, and which of
    them, (M,), are left.
    """

    pixels: Pixels
    points_px: Points
    kept: Mask


def placement(index: int, count: int, rng: np.random.Generator) -> tuple[float, bool]:
    """Degrees and flip of hard start `index` of `count`: turns spread over 360°, every second one
    mirrored.

    A single one is mirrored by chance.
    """
    turns = (count + 1) // 2
    degrees = (index // 2 + float(rng.uniform(0, 1))) * 360 / turns
    return degrees, bool(index % 2) if count > 1 else bool(rng.random() < 0.5)


def disturb(
    image: Image,
    points_px: Points,
    degrees: float,
    flip: bool,
    rng: np.random.Generator,
    background: float = 255.0,
) -> Disturbed:
    """Crop to 70-100 % of the area, scale by 0.7-1.4, mirror, turn, shift by up to 25 %, on a
    canvas of `background`.

    `points_px` are in pixels of `image`, 0 its corner; those that are cropped away are left out.
    """
    height, width = image.pixels.shape[1:]
    side = np.sqrt(rng.uniform(0.7, 1.0))
    size = np.array([int(width * side), int(height * side)])
    corner = np.array([rng.integers(0, width - size[0] + 1), rng.integers(0, height - size[1] + 1)])
    kept = ((points_px >= corner) & (points_px < corner + size)).all(axis=1)
    scale, angle = rng.uniform(0.7, 1.4), np.radians(degrees)
    linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = linear @ np.diag([-1 if flip else 1, 1])
    extent = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * size @ linear.T
    span = np.ceil(np.ptp(extent, axis=0))
    room = rng.uniform(0, 0.25, 2) * span
    shift = 5 - extent.min(axis=0) + np.where(rng.random(2) < 0.5, room, 0)
    canvas = np.ceil(span + room + 10).astype(int)
    crop = image.pixels[:, corner[1] : corner[1] + size[1], corner[0] : corner[0] + size[0]]
    matrix = np.c_[
        linear, shift + linear @ [0.5, 0.5] - 0.5
    ]  # OpenCV counts from the centre of the first pixel
    pixels = np.stack([_painted(plane, matrix, canvas, scale, background) for plane in crop])
    return Disturbed(pixels, (points_px[kept] - corner) @ linear.T + shift, kept)


def _painted(
    plane: np.ndarray, matrix: np.ndarray, canvas: np.ndarray, scale: float, background: float
) -> np.ndarray:
    """One channel (h, w) through `matrix` onto a canvas of (width, height)."""
    smooth = cv2.GaussianBlur(plane, (0, 0), 0.5 * (1 / scale - 1) + 0.01) if scale < 1 else plane
    size = (int(canvas[0]), int(canvas[1]))
    return np.asarray(
        cv2.warpAffine(np.ascontiguousarray(smooth), matrix, size, borderValue=background)
    )


def hard_start(
    moving: Slide, points_px: Points, start: Start, case: str
) -> tuple[ArraySlide, Points, Mask]:
    """The moving slide as `start` has it, its landmarks, (N, 2) in its pixels, and which of them,
    (M,), are left.

    The new slide has no pixel size: its scale is what a method has to find.
    """
    rng = start.generator(case)
    frame = moving.frame.fit(LONGEST_PX)
    degrees, flip = placement(start.index, start.count, rng)
    background = 255.0 if moving.info.is_rgb else 0.0
    at_frame = frame.to_px(moving.frame.to_um(points_px))
    found = disturb(moving.read(frame), at_frame, degrees, flip, rng, background)
    name = f"{start.name}: {degrees:.0f}°{', mirrored' if flip else ''}"
    return ArraySlide(found.pixels, name=name, stain=moving.stain), found.points_px, found.kept
