"""Measure how much of generated folds `stainbridge pairs` finds, and what else it takes for one.

    python benchmarks/folds.py --seeds 500:518

A line a slide, then their means. Slides are 8.4 mm across, every second `real`, the others `hard`.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from stainbridge.pairing.folds import FOLD_UM, find_folds
from stainbridge.phantom.glass.slide import PhantomSlide
from stainbridge.phantom.pairs.pair import generate_pair
from stainbridge.registration.sections.density import SlideDensity

STAINS = ("HER2", "Ki67", "PanCK", "ER")
SIZE_PX = 1400
MPP = 6.0
#: Folds of less tissue than this are too small to count, in µm².
LEAST_AREA_UM2 = 20_000.0


@dataclass(frozen=True)
class FoldCount:
    """What was found on one slide."""

    name: str
    found: float
    """Share of the folded tissue that is marked; not a number without a fold."""
    wrong: float
    """Share of the tissue that is marked, away from folds."""


def measure_slide(slide: PhantomSlide, name: str) -> FoldCount:
    """Compare the folds found with the true ones."""
    density = SlideDensity.fit(slide)
    marked = find_folds(slide, density)
    points = marked.frame.centres_um()
    shape = marked.pixels.shape[1:]
    is_tissue = (slide.tissue_depth_um(points) > 0).reshape(shape)
    is_fold = (slide.fold_distance_um(points) < 0).reshape(shape) & is_tissue
    reach = 2 * round(FOLD_UM / max(marked.frame.mpp)) + 1
    near = cv2.dilate(is_fold.astype(np.uint8), np.ones((reach, reach), np.uint8)) > 0
    is_marked = marked.pixels[0] > 0
    area_um2 = is_fold.sum() * marked.frame.mpp[0] * marked.frame.mpp[1]
    found = is_marked[is_fold].mean() if area_um2 >= LEAST_AREA_UM2 else np.nan
    return FoldCount(name, float(found), float((is_marked & ~near).sum() / is_tissue.sum()))


def measure_slides(seeds: range) -> Iterator[FoldCount]:
    """Yield what is found on both slides of each seed."""
    for seed in seeds:
        pair = generate_pair(
            seed=seed,
            size_px=SIZE_PX,
            mpp=MPP,
            fixed_stain="HE",
            moving_stain=STAINS[seed % len(STAINS)],
            organ="any",
            difficulty="hard" if seed % 2 else "real",
        )
        yield measure_slide(pair.fixed, f"{seed} fixed")
        yield measure_slide(pair.moving, f"{seed} moving")


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", default="500:518", help="first and last seed of generated pairs")
    first, last = map(int, parser.parse_args().seeds.split(":"))
    counts = []
    print("| slide | of folds found | other tissue marked |\n| --- | ---: | ---: |")
    for count in measure_slides(range(first, last)):
        counts.append(count)
        shown = "no fold" if np.isnan(count.found) else f"{count.found:.0%}"
        print(f"| {count.name} | {shown} | {count.wrong:.2%} |", flush=True)
    found = np.array([count.found for count in counts if not np.isnan(count.found)])
    wrong = np.mean([count.wrong for count in counts])
    print(f"| mean of {len(found)} and {len(counts)} | {found.mean():.0%} | {wrong:.2%} |")
    print(f"\n{np.mean(found > 0.3):.0%} of folds are found by more than 30 %.")


if __name__ == "__main__":
    main()
