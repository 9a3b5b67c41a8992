"""Write pairs of a picture and the same picture deformed, for `evaluate slices`.

    python benchmarks/deformed_pairs.py DATA/chest_xray deformed \\
        --split configs/splits/chest_xray.csv --part test --each 2

The folder has `images/`, and `masks/` or `labels/` with the same file names. Deformations are those
that `train sar` draws in the paper: B-splines with a longest displacement of 1 to 20 px in 512. The
folder's masks are the labels, landmarks hold the truth, and all that is not black is tissue.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from torch import Tensor

from stainbridge.datasets.slice_split import read_split
from stainbridge.datasets.subjects import find_subjects
from stainbridge.geometry.landmarks import write_points_csv
from stainbridge.joint.sar.config import SarPairsConfig
from stainbridge.joint.sar.pictures import PictureFiles
from stainbridge.joint.sar.stream import SarSample, SarStream
from stainbridge.types import Points

#: Landmarks along a side.
NODES = 12


def write_case(folder: Path, name: str, sample: SarSample) -> None:
    """Write the pictures, labels, masks and landmarks of a pair."""
    sides = {
        "fixed": (sample.reference, sample.reference_mask),
        "moving": (sample.floating, sample.floating_mask),
    }
    for side, (picture, mask) in sides.items():
        grey = _to_bytes(picture)
        inside = 255 * (grey > 0).astype(np.uint8)
        planes = {"": grey, "_labels": _to_bytes(mask) // 128, "_mask": inside}
        for suffix, plane in planes.items():
            target = folder / f"{side}{suffix}"
            target.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(target / f"{name}.png"), plane)
    for side, points in zip(("fixed", "moving"), find_landmarks(sample), strict=True):
        target = folder / f"{side}_landmarks"
        target.mkdir(exist_ok=True)
        write_points_csv(target / f"{name}.csv", points)


def find_landmarks(sample: SarSample) -> tuple[Points, Points]:
    """Return a grid of points of the reference that are not black, and where the field has them.

    Both (N, 2) as (x, y) in pixels from the corner of the first one.
    """
    size_px = sample.reference.shape[-1]
    axis = np.linspace(0, size_px - 1, NODES + 2)[1:-1].astype(int)
    x, y = (plane.ravel() for plane in np.meshgrid(axis, axis))
    inside = sample.reference[0].numpy()[y, x] > 0
    x, y = x[inside], y[inside]
    fixed = np.stack([x, y], 1) + 0.5
    return fixed, fixed + sample.truth.numpy()[:, y, x].T


def _to_bytes(plane: Tensor) -> np.ndarray:
    return np.asarray((255 * plane[0]).round().numpy(), np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="the folder with images/")
    parser.add_argument("out", type=Path, help="the folder to write")
    parser.add_argument("--split", type=Path, help="a table name,part")
    parser.add_argument("--part", default="test")
    parser.add_argument("--each", type=int, default=1, help="pairs for each picture")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    subjects = find_subjects(arguments.data)
    names = subjects.names
    if arguments.split is not None:
        parts = read_split(arguments.split)
        names = tuple(name for name in names if parts.get(Path(name).stem) == arguments.part)
    pictures = tuple(subjects.images / name for name in names)
    masks = subjects.require_masks(names)
    config = SarPairsConfig()
    files = PictureFiles(pictures, masks, config.size_px)
    stream = SarStream(files, config, arguments.seed)
    for number in range(arguments.each * len(pictures)):
        write_case(arguments.out, f"pair_{number:03d}", stream[number])


if __name__ == "__main__":
    main()
