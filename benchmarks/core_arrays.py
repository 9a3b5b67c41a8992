"""Register arrays of twelve cores, each turned on its own: does the bound hold for every core?

python benchmarks/core_arrays.py --seeds 1 2 3 --turns 0 8 20

The cores are discs of one generated pair, H&E and Ki67, in the same order on both slides. Those of
the moving slide are turned about their own centres.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import cv2
import numpy as np
import numpy.typing as npt

from stainbridge.phantom.pairs.pair import PhantomPair, generate_pair
from stainbridge.registration.config import RegisterConfig
from stainbridge.registration.pipeline import register_slides
from stainbridge.registration.result import Registration
from stainbridge.slides.memory import ArraySlide
from stainbridge.types import Points

#: Rows and columns of cores.
SHAPE = (3, 4)
#: Radius of a core, distance of two, and glass around all, in pixels of `MPP`.
RADIUS_PX = 110
PITCH_PX = 260
MARGIN_PX = 40
MPP = 2.0
#: Side in pixels of the pair that the cores are cut from.
TISSUE_PX = 1400
#: Grey level of glass, and the standard deviation of the noise.
GLASS = 240
NOISE = 1.5
#: Grey level below which a pixel shows tissue, and least share of it in a core's square.
TISSUE_LEVEL = 225
LEAST_TISSUE = 0.8
#: Squares that are tried for a core.
TRIES = 500
#: Landmarks of a core.
LANDMARKS = 10
Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class CoreArray:
    """Two pictures (H, W, 3) of an array, and corresponding points of each core."""

    fixed: Picture
    moving: Picture
    fixed_px: Points
    moving_px: Points
    cores: npt.NDArray[np.intp]


def main() -> None:
    """Register an array for each seed and turn, and print its worst core."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--turns", type=float, nargs="+", default=[0.0, 8.0, 20.0], metavar="DEG")
    parser.add_argument("--preset", default="fast")
    options = parser.parse_args()
    config = RegisterConfig.preset(options.preset)
    print("| seed | turn | status | worst core | bound | reason |")
    print("| --- " * 6 + "|")
    for seed, turn in product(options.seeds, options.turns):
        array = draw_array(seed, turn)
        slides = (ArraySlide(np.moveaxis(side, -1, 0), MPP) for side in (array.fixed, array.moving))
        result = register_slides(*slides, config)
        print(f"| {seed} | {turn:g}° | {describe(result, array)} |", flush=True)


def describe(result: Registration, array: CoreArray) -> str:
    """Return status, largest median error of a core over the diagonal of all, and bound."""
    if result.solution is None:
        return f"failed | | | {result.reason}"
    apart_px = np.hypot(*(result.warp_points(array.moving_px) - array.fixed_px).T)
    medians = [np.median(apart_px[array.cores == core]) for core in np.unique(array.cores)]
    worst = max(medians) * MPP / result.tissue_um
    return f"{result.status} | {worst:.4f} | {result.bound_tissue_rtre:.4f} | {result.reason}"


def draw_array(seed: int, turn_deg: float) -> CoreArray:
    """Draw an array whose moving cores are turned by `turn_deg`."""
    pair = generate_pair(
        seed=seed,
        size_px=TISSUE_PX,
        mpp=MPP,
        moving_stain="Ki67",
        difficulty="easy",
        rotation_deg=0.0,
        flip=False,
    )
    fixed = np.moveaxis(pair.fixed.read(pair.fixed.frame).pixels, 0, -1)
    moving = warp_moving(pair)
    rng = np.random.default_rng(seed)
    rows, columns = SHAPE
    size = (rows * PITCH_PX + 2 * MARGIN_PX, columns * PITCH_PX + 2 * MARGIN_PX, 3)
    glass = [GLASS + rng.normal(0, NOISE, size) for _ in range(2)]
    fixed_px, moving_px = [], []
    for centre, (x, y) in zip(list_centres(), choose_squares(fixed, rng), strict=True):
        square = slice(y - RADIUS_PX, y + RADIUS_PX), slice(x - RADIUS_PX, x + RADIUS_PX)
        put_core(glass[0], fixed[square], centre)
        put_core(glass[1], turn_core(moving[square], turn_deg), centre)
        offsets = rng.uniform(-0.6 * RADIUS_PX, 0.6 * RADIUS_PX, (LANDMARKS, 2))
        angle = np.radians(-turn_deg)
        cos, sin = np.cos(angle), np.sin(angle)
        fixed_px.append(centre + offsets)
        moving_px.append(centre + offsets @ np.array([[cos, -sin], [sin, cos]]).T)
    pictures = [plane.round().clip(0, 255).astype(np.uint8) for plane in glass]
    cores = np.repeat(np.arange(rows * columns), LANDMARKS)
    return CoreArray(*pictures, np.vstack(fixed_px), np.vstack(moving_px), cores)


def warp_moving(pair: PhantomPair) -> Picture:
    """Return the moving slide as it lies on the fixed one, (H, W, 3)."""
    frame = pair.fixed.frame
    at = pair.moving.frame.to_px(pair.truth(frame.centres_um())).astype(np.float32) - 0.5
    columns, rows = (at[:, axis].reshape(frame.height, frame.width) for axis in (0, 1))
    moving = np.moveaxis(pair.moving.read(pair.moving.frame).pixels, 0, -1)
    warped = cv2.remap(moving, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(warped, np.uint8)


def list_centres() -> list[npt.NDArray[np.intp]]:
    """Return where the cores lie, (x, y) each."""
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    centres = np.stack([columns.ravel(), rows.ravel()], axis=1) * PITCH_PX + PITCH_PX // 2
    return list(centres + MARGIN_PX)


def choose_squares(fixed: Picture, rng: np.random.Generator) -> Iterator[tuple[int, int]]:
    """Yield the centre (x, y) of a square full of tissue for each core."""
    is_tissue = fixed.mean(axis=2) < TISSUE_LEVEL
    for _ in range(SHAPE[0] * SHAPE[1]):
        for _ in range(TRIES):
            x, y = (int(value) for value in rng.integers(RADIUS_PX, TISSUE_PX - RADIUS_PX, 2))
            near = is_tissue[y - RADIUS_PX : y + RADIUS_PX, x - RADIUS_PX : x + RADIUS_PX]
            if near.mean() > LEAST_TISSUE:
                break
        yield x, y


def turn_core(core: Picture, degrees: float) -> Picture:
    """Return a square (2 r, 2 r, 3) turned about its centre."""
    side = 2 * RADIUS_PX
    middle = RADIUS_PX - 0.5
    matrix = cv2.getRotationMatrix2D((middle, middle), degrees, 1.0)
    turned = cv2.warpAffine(core, matrix, (side, side), borderMode=cv2.BORDER_REFLECT)
    return np.asarray(turned, np.uint8)


def put_core(glass: npt.NDArray[np.float64], core: Picture, centre: npt.NDArray[np.intp]) -> None:
    """Put the disc in a square (2 r, 2 r, 3) on the glass about `centre`, (x, y)."""
    x, y = centre
    rows, columns = np.mgrid[-RADIUS_PX:RADIUS_PX, -RADIUS_PX:RADIUS_PX]
    disc = np.hypot(rows, columns) < RADIUS_PX
    square = slice(y - RADIUS_PX, y + RADIUS_PX), slice(x - RADIUS_PX, x + RADIUS_PX)
    glass[square][disc] += core[disc].astype(float) - GLASS


if __name__ == "__main__":
    main()
