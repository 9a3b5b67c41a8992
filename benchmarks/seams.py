"""Measure seams of genuine and of wrongly stitched sections, each slide alone.

    STAINBRIDGE_DATA=../shared/data python benchmarks/seams.py --pairs 0:40

A table by kind, for sections from 400 px on along their longer side and for smaller ones: how many
reach the limit of the verdict, and the largest. *Turned* ones are the genuine ones turned by 10,
30, 50 and 70 degrees.
"""

from __future__ import annotations

import argparse
import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from misfit_pairs import Picture, Shown
from stainbridge.registration.sections.seam import LEAST_DISPLACED_PX
from stainbridge.registration.sections.section import read_section
from stainbridge.registration.verdict.judge import TOLERABLE_SEAM
from trust_trials import (
    CHANGES,
    KEPT_PX,
    STITCHED,
    hold_picture,
    keep_real_pairs,
    read_drawn_pair,
    show_slide,
)
from verdict_trials import find_real_pairs

ANGLES_DEG = (10, 30, 50, 70)


def turn(picture: Picture, degrees: float) -> Picture:
    """Return a picture (H, W, C) turned about its middle, all of it, on its own rim's colour."""
    height, width = picture.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    cosine, sine = np.abs(matrix[0, :2])
    size = (int(height * sine + width * cosine), int(height * cosine + width * sine))
    matrix[:, 2] += (np.array(size) - (width, height)) / 2
    rim = np.median(np.concatenate([picture[0], picture[-1]]), axis=0)
    return cv2.warpAffine(picture, matrix, size, borderValue=rim.tolist())


def list_kinds(shown: Shown) -> Iterator[tuple[str, Picture]]:
    """Yield a genuine section, the same turned, and the same wrongly stitched."""
    yield "genuine", shown.picture
    for degrees in ANGLES_DEG:
        yield "turned", turn(shown.picture, degrees)
    for kind in STITCHED:
        yield kind, CHANGES[kind](shown).picture


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--pairs",
        type=lambda text: range(*map(int, text.split(":"))),
        default="0:40",
        help="which generated pairs",
    )
    parser.add_argument("--cache", type=Path, default=Path("trust-pairs"), help="drawn pairs")
    options = parser.parse_args()
    root = os.environ.get("STAINBRIDGE_DATA")
    real = {} if root is None else keep_real_pairs(find_real_pairs(Path(root)))
    readers = [read for name, read in real.items() if "cyto" not in name and "reversed" not in name]
    readers += [partial(read_drawn_pair, str(n), options.cache) for n in options.pairs]
    found = defaultdict(list)
    for read in readers:
        pair = read()
        for slide, points in ((pair.fixed, pair.fixed_px), (pair.moving, pair.moving_px)):
            for kind, picture in list_kinds(show_slide(slide, points)):
                section = read_section(hold_picture(picture), KEPT_PX)
                if section is not None:
                    side = max(section.frame.width, section.frame.height)
                    found[kind, side >= LEAST_DISPLACED_PX].append(section.seam)
        print(pair.name, end=" ", flush=True)
    print("\n| kind | 400 px and more | largest | below 400 px | largest |\n" + "| --- " * 5 + "|")
    for kind in dict.fromkeys(kind for kind, _ in found):
        cells = [describe(found[kind, is_large]) for is_large in (True, False)]
        print(f"| {kind} | {' | '.join(cells)} |")


def describe(seams: Sequence[float]) -> str:
    """Return how many seams are doubted, of how many, and the largest."""
    doubted = sum(seam >= TOLERABLE_SEAM for seam in seams)
    return f"{doubted} of {len(seams)} | {max(seams, default=0):.2f}"


if __name__ == "__main__":
    main()
