"""Draw nuclei and cell membranes on a raster."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from stainbridge.geometry.frame import Frame
from stainbridge.phantom.tissue.nuclei import NUCLEUS_CLASSES, Nuclei
from stainbridge.types import Mask, Plane

#: Fractional bits of OpenCV's fixed-point coordinates.
_SUBPIXEL_BITS = 4
#: Pixels drawn around a raster and cut off, because OpenCV draws and blurs differently at the edge.
_EDGE_PX = 8
#: Nuclei are drawn with a membrane on pixels finer than this, in µm.
MAX_DETAILED_MPP = 0.8
#: How far beyond a polygon OpenCV's smooth edges reach, in pixels.
OVERDRAW_PX = 0.45
#: Cells reach at most this far from the core of their nuclei, in µm.
CYTOPLASM_UM = 9.0
#: Thickness of a stained cell membrane in µm.
MEMBRANE_UM = 1.0
#: The grey level that stands for one unit of chromatin.
_UNIT_LEVEL = 200.0

Outlines = npt.NDArray[np.float64]  # (N, vertices, 2) pixels, counted from pixel centres


def draw_nuclei(nuclei: Nuclei, frame: Frame, selected: Mask | None = None) -> Plane:
    """Return the chromatin of the nuclei (those `selected`, (N,) bool), (H, W) in about 0..1."""
    count = len(nuclei.class_index)
    numbers = np.arange(count) if selected is None else np.flatnonzero(selected)
    if frame.mpp[0] < MAX_DETAILED_MPP:
        canvas = _draw_detailed(nuclei, _widen(frame, _EDGE_PX), numbers)
        smooth = cv2.GaussianBlur(canvas.astype(np.float32), (0, 0), 0.28 / frame.mpp[0] + 0.2)
        return np.asarray(_cut_edges(smooth, _EDGE_PX) * np.float32(1 / _UNIT_LEVEL))
    half = (frame.mpp[0] / 2, frame.mpp[1] / 2)
    twice = replace(frame, height=2 * frame.height, width=2 * frame.width, mpp=half)
    canvas = _cut_edges(_draw_plain(nuclei, _widen(twice, _EDGE_PX), numbers), _EDGE_PX)
    reduced = cv2.resize(canvas, (frame.width, frame.height), interpolation=cv2.INTER_AREA)
    return np.asarray(reduced * np.float32(1 / _UNIT_LEVEL))


def draw_membranes(nuclei: Nuclei, frame: Frame, selected: Mask) -> Plane:
    """Return the membranes of the cells of the `selected` nuclei, (N,) bool, (H, W) in 0..1.

    A pixel belongs to the cell whose nucleus is nearest; membranes lie where that changes.
    """
    margin = int(np.ceil(CYTOPLASM_UM / frame.mpp[0])) + _EDGE_PX
    around = _widen(frame, margin)
    seeds = np.full((around.height, around.width), 255, np.uint8)
    # Smaller nuclei, so that two that touch are told apart.
    shrunk = replace(nuclei, half_axes_um=0.5 * nuclei.half_axes_um)
    outlines = _to_fixed_point(_compute_outlines(shrunk, around, 8))
    for n in np.flatnonzero(selected):
        cv2.fillConvexPoly(seeds, outlines[n], 0, cv2.LINE_8, _SUBPIXEL_BITS)
    distance, cell = cv2.distanceTransformWithLabels(
        seeds, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_CCOMP
    )
    border = np.zeros(seeds.shape, np.float32)
    border[:-1] = cell[:-1] != cell[1:]
    border[:, :-1] = np.maximum(border[:, :-1], cell[:, :-1] != cell[:, 1:])
    border *= distance < CYTOPLASM_UM / frame.mpp[0]
    width_px = max(1, round(MEMBRANE_UM / frame.mpp[0]))
    weight = min(1.0, MEMBRANE_UM / frame.mpp[0])
    thick = cv2.dilate(border, np.ones((width_px, width_px), np.uint8)) * weight
    smooth = cv2.GaussianBlur(thick, (0, 0), 0.3 / frame.mpp[0] + 0.3)
    return np.asarray(_cut_edges(smooth, margin), np.float32)


def _widen(frame: Frame, margin: int) -> Frame:
    return frame.crop(-margin, -margin, frame.width + 2 * margin, frame.height + 2 * margin)


def _cut_edges(canvas: npt.NDArray[Any], margin: int) -> npt.NDArray[Any]:
    return canvas[margin:-margin, margin:-margin]


def _draw_plain(
    nuclei: Nuclei, frame: Frame, numbers: npt.NDArray[np.int_]
) -> npt.NDArray[np.uint8]:
    """Return the numbered nuclei as polygons of their mean chromatin, as grey levels."""
    canvas = np.zeros((frame.height, frame.width), np.uint8)
    outlines = _to_fixed_point(_compute_outlines(nuclei, frame, 8))
    membrane, core = _compute_levels(nuclei)
    mean = membrane + 0.52 * (core - membrane)
    for n in numbers:
        cv2.fillConvexPoly(canvas, outlines[n], float(mean[n]), cv2.LINE_AA, _SUBPIXEL_BITS)
    return canvas


def _draw_detailed(
    nuclei: Nuclei, frame: Frame, numbers: npt.NDArray[np.int_]
) -> npt.NDArray[np.uint8]:
    """Return the numbered nuclei with a membrane around a paler core, as grey levels."""
    canvas = np.zeros((frame.height, frame.width), np.uint8)
    outlines = _compute_outlines(nuclei, frame, 16)
    centre = outlines.mean(axis=1, keepdims=True)
    outer = _to_fixed_point(outlines)
    inner = _to_fixed_point(centre + 0.72 * (outlines - centre))
    membrane, core = _compute_levels(nuclei)
    for n in numbers:
        cv2.fillPoly(canvas, [outer[n]], float(membrane[n]), cv2.LINE_AA, _SUBPIXEL_BITS)
        cv2.fillPoly(canvas, [inner[n]], float(core[n]), cv2.LINE_AA, _SUBPIXEL_BITS)
    return canvas


def _compute_levels(nuclei: Nuclei) -> tuple[npt.NDArray[np.floating], npt.NDArray[np.floating]]:
    """Return the grey levels of the nuclei's membranes and cores, (N,) each."""
    vesicularity = np.array([c.vesicularity for c in NUCLEUS_CLASSES])[nuclei.class_index]
    membrane = np.minimum(nuclei.density * _UNIT_LEVEL, 255)
    return membrane, membrane * (1 - vesicularity * (0.5 + nuclei.shape))


def _to_fixed_point(outlines: Outlines) -> npt.NDArray[np.int32]:
    return np.asarray(np.rint(outlines * 2**_SUBPIXEL_BITS), np.int32)


def _compute_outlines(nuclei: Nuclei, frame: Frame, vertices: int) -> Outlines:
    """Return outlines of the nuclei: ellipses with two low harmonics; long ones are curved."""
    t = np.linspace(0, 2 * np.pi, vertices, endpoint=False)[None, :]
    phase = nuclei.positivity[:, None] * 2 * np.pi
    shape = nuclei.shape[:, None]
    third = 0.07 * np.cos(3 * t + 5 * phase) * (1 - shape)
    bulge = 1 + 0.10 * shape * np.cos(2 * t + phase) + third
    smallest = 0.25 * frame.mpp[0]
    half_axes = np.maximum(nuclei.half_axes_um - OVERDRAW_PX * frame.mpp[0], smallest)
    long = half_axes[:, :1] * np.cos(t) * bulge
    short = half_axes[:, 1:] * np.sin(t) * bulge
    half_length = nuclei.half_axes_um[:, :1]
    curve = 0.16 * (shape - 0.5) * (long**2 / np.maximum(half_length, 1) - half_length / 2)
    short = short + curve * (half_length > 2.5 * nuclei.half_axes_um[:, 1:])
    cos = np.cos(nuclei.angle_rad)[:, None]
    sin = np.sin(nuclei.angle_rad)[:, None]
    x = nuclei.centre_um[:, :1] + cos * long - sin * short
    y = nuclei.centre_um[:, 1:] + sin * long + cos * short
    points = np.stack([x, y], axis=-1)
    return np.asarray((points - frame.origin_um) / frame.mpp - 0.5)
