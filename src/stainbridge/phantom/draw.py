"""Nuclei on a raster, drawn as smooth polygons with a membrane and chromatin."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from stainbridge.geometry.frame import Frame
from stainbridge.phantom.nuclei import CLASSES, Nuclei
from stainbridge.types import Mask, Plane

_SUBPIXEL_BITS = 4
_FULL = 200.0  # grey level that stands for one unit of chromatin


def painted(cells: Nuclei, frame: Frame, which: Mask | None = None) -> Plane:
    """Chromatin of the nuclei (those of `which`, (N,) bool) on `frame`, (H, W), about 0..1."""
    canvas = np.zeros((frame.height, frame.width), np.uint8)
    detailed = frame.mpp[0] < 0.8
    outlines = _outlines(cells, frame, 16 if detailed else 8)
    vesicular = np.array([c.vesicular for c in CLASSES])[cells.kind] * (0.5 + cells.shape)
    rim = np.minimum(cells.density * _FULL, 255)
    numbers = np.arange(len(rim)) if which is None else np.flatnonzero(which)
    fixed = np.rint(outlines * 2**_SUBPIXEL_BITS).astype(np.int32)
    if not detailed:
        level = rim * (1 - 0.5 * vesicular)
        for n in numbers:
            cv2.fillConvexPoly(canvas, fixed[n], float(level[n]), cv2.LINE_AA, _SUBPIXEL_BITS)
        return np.asarray(canvas * np.float32(1 / _FULL), np.float32)
    middle = outlines.mean(axis=1, keepdims=True)
    inner = np.rint((middle + 0.72 * (outlines - middle)) * 2**_SUBPIXEL_BITS).astype(np.int32)
    for n in numbers:
        cv2.fillPoly(canvas, [fixed[n]], float(rim[n]), cv2.LINE_AA, _SUBPIXEL_BITS)
        cv2.fillPoly(canvas, [inner[n]], float(rim[n] * (1 - vesicular[n])), cv2.LINE_AA, _SUBPIXEL_BITS)
    return np.asarray(cv2.GaussianBlur(canvas.astype(np.float32) / _FULL, (0, 0), 0.28 / frame.mpp[0] + 0.2))


def _outlines(cells: Nuclei, frame: Frame, vertices: int) -> npt.NDArray[np.float64]:
    """Outlines (N, vertices, 2) in pixels counted from pixel centres: ellipses with two low harmonics."""
    t = np.linspace(0, 2 * np.pi, vertices, endpoint=False)[None, :]
    lot, shape = cells.lot[:, None] * 2 * np.pi, cells.shape[:, None]
    bulge = 1 + 0.10 * shape * np.cos(2 * t + lot) + 0.07 * np.cos(3 * t + 5 * lot) * (1 - shape)
    long, short = cells.axes_um[:, :1] * np.cos(t) * bulge, cells.axes_um[:, 1:] * np.sin(t) * bulge
    bend = 0.16 * (shape - 0.5) * (long**2 / np.maximum(cells.axes_um[:, :1], 1) - cells.axes_um[:, :1] / 2)
    short = short + bend * (cells.axes_um[:, :1] > 2.5 * cells.axes_um[:, 1:])
    cos, sin = np.cos(cells.angle)[:, None], np.sin(cells.angle)[:, None]
    x = cells.centre_um[:, :1] + cos * long - sin * short
    y = cells.centre_um[:, 1:] + sin * long + cos * short
    points = np.stack([x, y], axis=-1)
    return np.asarray((points - frame.origin_um) / frame.mpp - 0.5)
