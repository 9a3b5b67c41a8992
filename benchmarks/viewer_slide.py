"""A large slide for the viewer's benchmark: a generated section, repeated, in a JPEG pyramid."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import tifffile

from stainbridge.geometry.frame import Space
from stainbridge.geometry.transform import Affine, Chain, DisplacementField, Transform
from stainbridge.phantom.pairs.pair import generate_pair

Picture = npt.NDArray[np.uint8]  # (H, W, 3)

SIDE_PX = 40_000
MPP = 0.25
#: Side of the generated section that is repeated, in pixels: a multiple of every tile.
SECTION_PX = 4096
TILE_PX = 256
#: Levels, each half as fine as the one before.
LEVELS = 6
ROTATION_DEG = 140.0
#: Largest displacement of the field, in µm, and its grid spacing.
BEND_UM = 80.0
NODES = 256


def write_large_slide(path: Path, side_px: int = SIDE_PX, seed: int = 5) -> None:
    """Write a tiled JPEG pyramid of `side_px` pixels a side that OpenSlide reads too."""
    pair = generate_pair(seed=seed, size_px=SECTION_PX, mpp=MPP * 2)
    section = np.ascontiguousarray(np.moveaxis(pair.fixed.read(pair.fixed.frame).pixels, 0, -1))
    with tifffile.TiffWriter(path, bigtiff=True) as writer:
        for level in range(LEVELS):
            side = side_px >> level
            per_cm = 1e4 / (MPP * 2**level)
            writer.write(
                _tiles(section, side),
                shape=(side, side, 3),
                dtype=np.uint8,
                tile=(TILE_PX, TILE_PX),
                compression="jpeg",
                compressionargs={"level": 80},
                photometric="ycbcr",
                subfiletype=min(level, 1),
                metadata=None,
                resolution=(per_cm, per_cm),
                resolutionunit="CENTIMETER",
            )
            size = (section.shape[1] // 2, section.shape[0] // 2)
            section = np.asarray(cv2.resize(section, size, interpolation=cv2.INTER_AREA))


def _tiles(section: Picture, side: int) -> Iterator[Picture]:
    """Yield the tiles of a level row by row; the section is repeated over it."""
    period = max(TILE_PX, section.shape[0])
    repeats = period // section.shape[0]
    section = np.tile(section, (repeats, repeats, 1))
    for top in range(0, side, TILE_PX):
        for left in range(0, side, TILE_PX):
            y = top % period
            x = left % period
            yield section[y : y + TILE_PX, x : x + TILE_PX]


def make_transform(fixed: Space, moving: Space) -> Transform:
    """Return a smooth deformation followed by a rotation with a flip, moving from fixed."""
    grid = fixed.frame.fit(NODES)
    x, y = grid.centres_um().T.reshape(2, grid.height, grid.width)
    extent = grid.size_um[0]
    bend = BEND_UM * np.stack([np.sin(5 * np.pi * y / extent), np.cos(4 * np.pi * x / extent)])
    field = DisplacementField(bend.astype(np.float32), grid, fixed, fixed)
    angle = np.deg2rad(ROTATION_DEG)
    turn = np.array([[-np.cos(angle), -np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    matrix = np.eye(3)
    matrix[:2, :2] = turn
    matrix[:2, 2] = np.array(moving.frame.centre_um) - turn @ fixed.frame.centre_um
    return Chain((field, Affine(matrix, fixed, moving)))
