"""The grid of pictures: a line a method, made of strips that are kept method by method.

A strip shows one case: moving as given, as the method synthesised it, warped, the target, and the
field as a deformed grid. Outlines are those of the target's labels, or of its mask.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from scipy.ndimage import binary_erosion

from stainbridge.evaluate.picture_grid import (
    GridLine,
    join_pictures,
    read_picture,
    write_grid,
    write_picture,
)
from stainbridge.evaluate.slices.scene import SliceScene
from stainbridge.geometry.frame import Frame
from stainbridge.geometry.transform import Transform
from stainbridge.geometry.warp import warp_array
from stainbridge.imaging.pictures import Picture, render_rgb
from stainbridge.slides.warped import WarpedSlide
from stainbridge.types import Mask, Plane

#: Pixels along the longer side of a picture.
PICTURE_PX = 288
#: The columns of a strip.
COLUMNS = ("moving", "synthesised", "warped", "target", "field")
#: Lines of the deformed grid along the moving slide's longer side.
GRID_LINES = 24
#: Width of such a line, as a share of the distance between two.
LINE_SHARE = 0.12
#: Areas of a label below this share of the picture get no outline: they would hide what is below.
SMALL_AREA_SHARE = 0.003
#: RGB colour of the target's outlines.
OUTLINE_COLOUR = (255, 205, 0)


@dataclass(frozen=True, eq=False)
class Strip:
    """The pictures of one method on one case."""

    method: str
    """The name of the method."""
    path: Path
    """The PNG of its pictures, side by side."""


def write_strip(
    path: Path, scene: SliceScene, transform: Transform | None, synthesised: Plane | None
) -> None:
    """Write the strip of a method; without a transform, what it lacks is left grey."""
    frame = scene.fixed.frame.fit(PICTURE_PX)
    outlines = find_outlines(scene, frame)
    given = render_rgb(WarpedSlide(scene.moving, scene.placement).read(frame))
    pictures = [
        draw_outlines(given, outlines),
        _blank(frame) if synthesised is None else _show_synthesised(scene, synthesised, frame),
        _blank(frame) if transform is None else _show_warped(scene, transform, frame, outlines),
        draw_outlines(render_rgb(scene.fixed.read(frame)), outlines),
        _blank(frame) if transform is None else draw_field(transform, frame),
    ]
    write_picture(path, join_pictures(pictures))


def find_outlines(scene: SliceScene, frame: Frame) -> Mask:
    """Return the outlines of the fixed labels, or else of the fixed mask, (H, W) of `frame`.

    Small areas are left out.
    """
    known = scene.masks[0] if scene.labels is None else scene.labels[0]
    if known is None:
        return np.zeros((frame.height, frame.width), bool)
    labels = cv2.resize(
        known.pixels[0].astype(np.float32),
        (frame.width, frame.height),
        interpolation=cv2.INTER_NEAREST,
    )
    outlines = np.zeros(labels.shape, bool)
    for label in np.unique(labels[labels != 0]):
        inside = _drop_small_areas(labels == label)
        outlines |= inside & ~binary_erosion(inside)
    return outlines


def _drop_small_areas(inside: Mask) -> Mask:
    """Return a mask without connected areas below `SMALL_AREA_SHARE` of the picture."""
    _, areas, statistics, _ = cv2.connectedComponentsWithStats(inside.astype(np.uint8))
    is_large = statistics[:, cv2.CC_STAT_AREA] >= SMALL_AREA_SHARE * inside.size
    return np.asarray(is_large[areas] & inside)


def draw_outlines(picture: Picture, outlines: Mask) -> Picture:
    """Return a picture (H, W, 3) with the outlines (H, W) on it."""
    return np.where(outlines[..., None], np.array(OUTLINE_COLOUR, np.uint8), picture)


def draw_field(transform: Transform, frame: Frame) -> Picture:
    """Return a square grid on the moving slide, warped to `frame` of the fixed one, (H, W, 3)."""
    moving_um = transform(frame.centres_um()).reshape(frame.height, frame.width, 2)
    step_um = max(transform.target.frame.size_um) / GRID_LINES
    distance = np.abs((moving_um / step_um + 0.5) % 1 - 0.5).min(axis=-1)
    grey = np.clip(distance / LINE_SHARE, 0, 1) * 255
    return np.repeat(grey.astype(np.uint8)[..., None], 3, axis=-1)


def _show_warped(scene: SliceScene, transform: Transform, frame: Frame, outlines: Mask) -> Picture:
    return draw_outlines(render_rgb(WarpedSlide(scene.moving, transform).read(frame)), outlines)


def _show_synthesised(scene: SliceScene, synthesised: Plane, frame: Frame) -> Picture:
    """Return what was made of the whole moving slide, placed as the slide is given."""
    moving = scene.moving.frame
    height, width = synthesised.shape
    mpp = (moving.size_um[0] / width, moving.size_um[1] / height)
    grid = replace(moving, height=height, width=width, mpp=mpp)
    grey = (np.clip(synthesised, 0, 1) * 255).astype(np.uint8)
    shown, _ = warp_array(grey[None], grid, scene.placement, frame)
    return np.repeat(shown[0][..., None], 3, axis=-1)


def _blank(frame: Frame) -> Picture:
    return np.full((frame.height, frame.width, 3), 240, np.uint8)


def write_method_grid(path: Path, strips: Sequence[Strip]) -> None:
    """Write strips of one case below each other, with the names of methods and columns."""
    lines = [GridLine(strip.method, read_picture(strip.path)) for strip in strips]
    write_grid(path, lines, COLUMNS)
