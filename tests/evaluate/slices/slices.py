"""Small paired slices with a known shift: what tests of evaluate slices register."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import PIL.Image

from stainbridge.evaluate.slices.scene import SliceScene, open_scene
from stainbridge.geometry.frame import Space
from stainbridge.geometry.transform import Affine, DisplacementField
from stainbridge.slides.case import Case
from stainbridge.slides.memory import ArraySlide

HEIGHT, WIDTH = 72, 96
#: How far the moving slice lies to the right and below, in pixels.
SHIFT = (4, 3)

Plane = npt.NDArray[np.uint8]


def draw_labels(height: int = HEIGHT, width: int = WIDTH, seed: int = 0) -> Plane:
    """Return an oval of label 1 with a smaller one of label 2 in it."""
    rows, columns = np.mgrid[:height, :width]
    wobble = np.random.default_rng(seed).uniform(-0.1, 0.1)
    distance = np.hypot((columns - 44) / 30, (rows - 34) / (24 + 10 * wobble))
    inner = np.hypot((columns - 38) / 10, (rows - 30) / 8)
    return np.where(inner < 1, 2, np.where(distance < 1, 1, 0)).astype(np.uint8)


def draw_picture(labels: Plane, seed: int = 0, *, inverted: bool = False) -> Plane:
    """Return a textured grey picture of the labels, 0 off the tissue."""
    noise = np.random.default_rng(seed).normal(size=labels.shape).astype(np.float32)
    texture = cv2.GaussianBlur(noise, (0, 0), 2.5)
    grey = np.array([0, 110, 170])[labels] + 25 * texture / texture.std()
    grey = 255 - grey if inverted else grey
    return np.where(labels > 0, np.clip(grey, 20, 255), 0).astype(np.uint8)


def shift(plane: Plane) -> Plane:
    """Return a plane moved by `SHIFT`; its border is empty."""
    return np.roll(plane, SHIFT[::-1], (0, 1))


def make_case(
    name: str = "one",
    *,
    seed: int = 0,
    mpp: float | None = None,
    landmarks: bool = True,
) -> Case:
    """Return a case in memory: the moving slice is the fixed one shifted, its contrast inverted."""
    labels = draw_labels(seed=seed)
    pictures = draw_picture(labels, seed), shift(draw_picture(labels, seed, inverted=True))
    points = np.array([[30.0, 30.0], [50.5, 20.0], [44.0, 41.5]])
    both = (labels, shift(labels))
    return Case(
        name,
        partial(ArraySlide, pictures[0][None], mpp, "fixed"),
        partial(ArraySlide, pictures[1][None], mpp, "moving"),
        (points, points + SHIFT) if landmarks else None,
        *(partial(ArraySlide, (part[None] > 0).astype(np.uint8)) for part in both),
        open_fixed_labels=partial(ArraySlide, both[0][None]),
        open_moving_labels=partial(ArraySlide, both[1][None]),
    )


def make_scene(case: Case | None = None) -> SliceScene:
    """Return a case opened; slides in memory need no closing."""
    return open_scene(case or make_case(), ExitStack())


def true_shift(scene: SliceScene) -> Affine:
    """Return the exact transform of `make_case`."""
    matrix = np.eye(3)
    matrix[:2, 2] = np.multiply(SHIFT, scene.moving.frame.mpp)
    return Affine(matrix, scene.fixed.frame.space, scene.moving.frame.space)


def fold_at(scene: SliceScene, x: int, y: int) -> DisplacementField:
    """Return the identity with a fold of some pixels around a place."""
    fixed: Space = scene.fixed.frame.space
    displacement = np.zeros((2, HEIGHT, WIDTH), np.float32)
    displacement[0, y - 2 : y + 3, x] = 3
    displacement[0, y - 2 : y + 3, x + 1] = -3
    field = DisplacementField(displacement, scene.fixed.frame, fixed, fixed)
    return replace(field, target=scene.moving.frame.space)


def write_slices(folder: Path, count: int = 3) -> Path:
    """Write a folder of paired slices with labels."""
    for number in range(count):
        labels = draw_labels(seed=number)
        pictures = {
            "mri": draw_picture(labels, number),
            "mri_labels": labels,
            "histo_affine": shift(draw_picture(labels, number, inverted=True)),
            "histo_affine_labels": shift(labels),
        }
        for name, plane in pictures.items():
            (folder / name).mkdir(parents=True, exist_ok=True)
            PIL.Image.fromarray(plane).save(folder / name / f"slice_{number:03}.png")
    return folder
