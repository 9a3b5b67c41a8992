"""Measure how fast tissue is generated: pairs with their truth, patches, and a large slide.

    python benchmarks/phantom.py                        # pairs and patches
    python benchmarks/phantom.py --slide 20000          # only a slide of that side, and its memory

On a busy machine CPU seconds say more than wall seconds.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import numpy as np

from stainbridge.phantom.pairs.pair import generate_pair
from stainbridge.phantom.patches import PatchConfig, Patches
from stainbridge.slides.writing.write import write_slide

#: Fields and mask of the truth are sampled on every fourth pixel of a 2048-pixel slide.
TRUTH_PX = 512
#: Moving stains, one pair each.
MOVING = ("Ki67", "PanCK", "Masson")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=2048, help="side of the pairs in pixels")
    parser.add_argument(
        "--slide",
        type=int,
        default=0,
        help="side of the large slide in pixels; 0: pairs and patches",
    )
    parser.add_argument("--patches", type=int, default=36, help="how many pairs of patches")
    options = parser.parse_args()
    if options.slide:
        measure_slide(options.slide)
        return
    measure_pairs(options.size)
    for side in (256, 512):
        measure_patches(side, options.patches)


@contextmanager
def stopwatch() -> Iterator[Callable[[], tuple[float, float]]]:
    """Yield a function that returns the wall and CPU seconds since the block started."""
    wall = time.perf_counter()
    cpu = time.process_time()
    yield lambda: (time.perf_counter() - wall, time.process_time() - cpu)


def measure_pairs(size: int) -> None:
    """Time pairs of `real` difficulty, read whole, with both fields and the valid mask."""
    print(f"pair of {size} x {size} px with its truth    wall s   CPU s")
    rows = []
    for seed, stain in enumerate(MOVING):
        with stopwatch() as seconds:
            pair = generate_pair(seed=seed, size_px=size, mpp=4096 / size, moving_stain=stain)
            pair.read_with_truth(TRUTH_PX)
            rows.append(seconds())
        print(f"  HE / {stain:<28}{rows[-1][0]:10.2f}{rows[-1][1]:8.2f}")
    wall, cpu = np.median(rows, axis=0)
    print(f"  {'median':<33}{wall:10.2f}{cpu:8.2f}")


def measure_patches(side: int, count: int) -> None:
    """Time pairs of patches, with displacements and masks."""
    with stopwatch() as seconds:
        for _ in islice(Patches(PatchConfig(size_px=side), seed=1), count):
            pass
        wall, cpu = seconds()
    print(
        f"patches of {side} px: {count / wall:.1f} pairs a second, {count / cpu:.1f} a CPU second"
    )


def measure_slide(side: int) -> None:
    """Time one moving slide of a `real` pair at 0.25 µm per pixel, written as a pyramid."""
    moving = generate_pair(seed=1, size_px=side, mpp=0.25, moving_stain="Ki67").moving
    with tempfile.TemporaryDirectory() as folder, stopwatch() as seconds:
        path = Path(folder) / "slide.ome.tiff"
        write_slide(moving, path)
        wall, cpu = seconds()
        size_mb = path.stat().st_size / 2**20
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    megapixels = side * side / 1e6
    print(
        f"slide of {side} px: {wall:.0f} s, {cpu:.0f} CPU s, "
        f"{megapixels / wall:.1f} megapixels a second, "
        f"{size_mb:.0f} MB, peak memory {peak_mb:.0f} MB"
    )


if __name__ == "__main__":
    main()
