"""Small slides of blobs on white, quick to make and to read."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from stainbridge.geometry.frame import Frame
from stainbridge.geometry.transform import Affine
from stainbridge.registration.training.pairs import TrainingPair
from stainbridge.slides.memory import ArraySlide

SIZE = 160


def section(seed: int = 0, name: str = "fixed", mpp: float = 2.0) -> ArraySlide:
    """An RGB slide (3, 160, 160) with one round textured section."""
    rng = np.random.default_rng(seed)
    texture = cv2.GaussianBlur(rng.random((SIZE, SIZE)).astype(np.float32), (0, 0), 3)
    texture = (texture - texture.min()) / np.ptp(texture)
    y, x = np.mgrid[:SIZE, :SIZE] - SIZE / 2
    outline = (np.hypot(x, 1.4 * y) < 55).astype(np.float32)
    dye = cv2.GaussianBlur(outline, (0, 0), 1) * (0.3 + 0.9 * texture)
    colour = np.exp(-dye[None] * np.array([0.5, 1.0, 0.4])[:, None, None])
    return ArraySlide((245 * colour).astype(np.uint8), mpp, name, "HE")


def identity(fixed: Frame, moving: Frame) -> Affine:
    return Affine(np.eye(3), fixed.space, moving.space)


@dataclass(frozen=True)
class Blobs:
    """Pairs of one and the same section."""

    def __getitem__(self, number: int) -> TrainingPair:
        fixed = section(number)
        moving = section(number, "moving")
        return TrainingPair(fixed, moving, identity(fixed.frame, moving.frame))
