"""Nuclei on a raster, drawn as smooth polygons with a membrane and chromatin."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt

from stainbridge.geometry.frame import Frame
from stainbridge.phantom.tissue.nuclei import NUCLEUS_CLASSES, Nuclei
from stainbridge.types import Mask, Plane

_SUBPIXEL_BITS = 4
_RIM = 8  # OpenCV draws and blurs differently at a picture's rim
#: Nuclei are drawn with a membrane on pixels finer than this.
MAX_DETAILED_MPP = 0.8
#: How far beyond a polygon OpenCV's smooth edges reach.
OVERDRAWN_PX = 0.45
#: Cells reach at most this far from the core of their nuclei; their membranes are this thick as
#: stained.
CYTOPLASM_UM, MEMBRANE_UM = 9.0, 1.0
_FULL = 200.0  # grey level that stands for one unit of chromatin


def draw_nuclei(cells: Nuclei, frame: Frame, which: Mask | None = None) -> Plane:
    """Chromatin of the nuclei (those of `which`, (N,) bool) on `frame`, (H, W), about 0..1."""
    numbers = np.arange(len(cells.kind)) if which is None else np.flatnonzero(which)
    if frame.mpp[0] < MAX_DETAILED_MPP:
        around = frame.crop(-_RIM, -_RIM, frame.width + 2 * _RIM, frame.height + 2 * _RIM)
        canvas = _drawn(cells, around, numbers, vertices=16, membranes=True).astype(np.float32)
        return _cropped(cv2.GaussianBlur(canvas, (0, 0), 0.28 / frame.mpp[0] + 0.2))
    half = (frame.mpp[0] / 2, frame.mpp[1] / 2)
    twice = replace(frame, height=2 * frame.height, width=2 * frame.width, mpp=half)
    around = twice.crop(-_RIM, -_RIM, twice.width + 2 * _RIM, twice.height + 2 * _RIM)
    plain = _drawn(cells, around, numbers, vertices=8, membranes=False)[_RIM:-_RIM, _RIM:-_RIM]
    size = (frame.width, frame.height)
    return np.asarray(cv2.resize(plain, size, interpolation=cv2.INTER_AREA) * np.float32(1 / _FULL))


def draw_membranes(cells: Nuclei, frame: Frame, which: Mask) -> Plane:
    """The borders between the cells of `which`, (N,) bool, and around them, on `frame`, (H, W) in
    0..1.

    A pixel belongs to the cell whose nucleus is nearest; borders lie where that changes.
    """
    rim = int(np.ceil(CYTOPLASM_UM / frame.mpp[0])) + _RIM
    around = frame.crop(-rim, -rim, frame.width + 2 * rim, frame.height + 2 * rim)
    seeds = np.full((around.height, around.width), 255, np.uint8)
    shrunk = replace(cells, axes_um=0.5 * cells.axes_um)  # so that nuclei that touch are two
    outlines = np.rint(_outlines(shrunk, around, 8) * 2**_SUBPIXEL_BITS).astype(np.int32)
    for n in np.flatnonzero(which):
        cv2.fillConvexPoly(seeds, outlines[n], 0, cv2.LINE_8, _SUBPIXEL_BITS)
    distance, owner = cv2.distanceTransformWithLabels(
        seeds, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_CCOMP
    )
    border = np.zeros(seeds.shape, np.float32)
    border[:-1] = owner[:-1] != owner[1:]
    border[:, :-1] = np.maximum(border[:, :-1], owner[:, :-1] != owner[:, 1:])
    border *= distance < CYTOPLASM_UM / frame.mpp[0]
    width_px = max(1, round(MEMBRANE_UM / frame.mpp[0]))
    thick = cv2.dilate(border, np.ones((width_px, width_px), np.uint8)) * min(
        1.0, MEMBRANE_UM / frame.mpp[0]
    )
    smooth = cv2.GaussianBlur(thick, (0, 0), 0.3 / frame.mpp[0] + 0.3)
    return np.asarray(smooth[rim:-rim, rim:-rim], np.float32)


def _cropped(canvas: Plane) -> Plane:
    return np.asarray(canvas[_RIM:-_RIM, _RIM:-_RIM] * np.float32(1 / _FULL))


def _drawn(
    cells: Nuclei, frame: Frame, numbers: npt.NDArray[np.int_], vertices: int, membranes: bool
) -> npt.NDArray[np.uint8]:
    canvas = np.zeros((frame.height, frame.width), np.uint8)
    outlines = _outlines(cells, frame, vertices)
    vesicular = np.array([c.vesicular for c in NUCLEUS_CLASSES])[cells.kind] * (0.5 + cells.shape)
    rim = np.minimum(cells.density * _FULL, 255)
    core = rim * (1 - vesicular)
    outer = np.rint(outlines * 2**_SUBPIXEL_BITS).astype(np.int32)
    if not membranes:
        mean = rim + 0.52 * (core - rim)
        for n in numbers:
            cv2.fillConvexPoly(canvas, outer[n], float(mean[n]), cv2.LINE_AA, _SUBPIXEL_BITS)
        return canvas
    middle = outlines.mean(axis=1, keepdims=True)
    inner = np.rint((middle + 0.72 * (outlines - middle)) * 2**_SUBPIXEL_BITS).astype(np.int32)
    for n in numbers:
        cv2.fillPoly(canvas, [outer[n]], float(rim[n]), cv2.LINE_AA, _SUBPIXEL_BITS)
        cv2.fillPoly(canvas, [inner[n]], float(core[n]), cv2.LINE_AA, _SUBPIXEL_BITS)
    return canvas


def _outlines(cells: Nuclei, frame: Frame, vertices: int) -> npt.NDArray[np.float64]:
    """Outlines (N, vertices, 2) in pixels counted from pixel centres: ellipses with two low
    harmonics.
    """
    t = np.linspace(0, 2 * np.pi, vertices, endpoint=False)[None, :]
    lot, shape = cells.lot[:, None] * 2 * np.pi, cells.shape[:, None]
    bulge = 1 + 0.10 * shape * np.cos(2 * t + lot) + 0.07 * np.cos(3 * t + 5 * lot) * (1 - shape)
    axes = np.maximum(cells.axes_um - OVERDRAWN_PX * frame.mpp[0], 0.25 * frame.mpp[0])
    long, short = axes[:, :1] * np.cos(t) * bulge, axes[:, 1:] * np.sin(t) * bulge
    bend = (
        0.16
        * (shape - 0.5)
        * (long**2 / np.maximum(cells.axes_um[:, :1], 1) - cells.axes_um[:, :1] / 2)
    )
    short = short + bend * (cells.axes_um[:, :1] > 2.5 * cells.axes_um[:, 1:])
    cos, sin = np.cos(cells.angle)[:, None], np.sin(cells.angle)[:, None]
    x = cells.centre_um[:, :1] + cos * long - sin * short
    y = cells.centre_um[:, 1:] + sin * long + cos * short
    points = np.stack([x, y], axis=-1)
    return np.asarray((points - frame.origin_um) / frame.mpp - 0.5)
