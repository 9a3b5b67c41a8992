"""Affine maps as other programs write them: Xenium Explorer, SpatialData, OME-NGFF.

All of them map the moving slide's full-resolution pixels to the fixed slide's.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame
from stainbridge.geometry.pixel_affine import PixelAffine, affine_from_pixels
from stainbridge.geometry.transform import Affine
from stainbridge.types import Matrix

#: The version of OME-NGFF that has affine maps.
NGFF_VERSION = "0.6"
#: Largest file of a matrix of nine numbers.
MOST_BYTES = 10_000


def format_explorer(affine: PixelAffine) -> str:
    """Return the alignment matrix of Xenium Explorer: three lines of three numbers."""
    lines = [",".join(repr(float(value)) for value in row) for row in affine.matrix[:2]]
    return "\n".join([*lines, "0,0,1", ""])


def format_spatialdata(affine: PixelAffine) -> str:
    """Return the transformation as SpatialData keeps it in the attributes of an element."""
    return _format_json({"coordinateTransformations": [_describe(affine.matrix)]})


def format_ngff(affine: PixelAffine) -> str:
    """Return the transformation as a scene of OME-NGFF, which counts from centres of pixels."""
    transformation = _describe(affine.between_centres())
    systems = [transformation["input"], transformation["output"]]
    references = {side: {"name": transformation[side]["name"]} for side in ("input", "output")}
    scene = {
        "coordinateSystems": systems,
        "coordinateTransformations": [{**transformation, **references}],
    }
    return _format_json({"ome": {"version": NGFF_VERSION, "scene": scene}})


def read_explorer(path: Path, source: Frame, target: Frame) -> Affine:
    """Return the transform, fixed to moving, of an alignment matrix of Xenium Explorer.

    `source` and `target` are the full-resolution frames of the fixed and the moving slide. Raises
    `InputError` for what is no such matrix.
    """
    expected = "three lines of three numbers, the last 0,0,1"
    text = path.read_bytes()[:MOST_BYTES].decode("utf-8-sig", "replace")
    cells = [line.split(",") for line in text.splitlines() if line.strip()]
    words = [cell for row in cells for cell in row if not _is_number(cell)]
    if words:
        raise InputError("not an alignment matrix", expected=expected, got=repr(words[0][:40]))
    rows = [[float(cell) for cell in row] for row in cells]
    if [len(row) for row in rows] != [3, 3, 3]:
        shape = " and ".join(str(len(row)) for row in rows[:4]) or "no"
        raise InputError("not an alignment matrix", expected=expected, got=f"{shape} numbers")
    if rows[2] != [0, 0, 1]:
        raise InputError("not an affine map", expected=expected, got=f"last line {rows[2]}")
    return affine_from_pixels(np.array(rows), source, target)


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _describe(matrix: Matrix) -> dict[str, Any]:
    """Return an affine map in the order of axes of OME-NGFF, y before x."""
    swapped = matrix[np.ix_([1, 0], [1, 0, 2])]
    return {
        "type": "affine",
        "affine": swapped.tolist(),
        "input": {"name": "moving", "axes": _list_axes()},
        "output": {"name": "fixed", "axes": _list_axes()},
    }


def _list_axes() -> list[dict[str, str]]:
    return [{"name": name, "type": "space"} for name in ("y", "x")]


def _format_json(values: dict[str, Any]) -> str:
    return json.dumps(values, indent=1) + "\n"
