"""List slides to train translations on, in a table for `stainbridge train translate --data`.

    python benchmarks/synthesis_slides.py slides.csv sections/pairs.csv DATA/rat_kidney/pairs.csv

The slide in the source stain comes first. Pairs without one are left out. A slide without a pixel
size gets 1 µm per pixel, as `benchmark synthesis` reads it. The first pair is validated on.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

from stainbridge.datasets.layouts import read_data_set
from stainbridge.evaluate.synthesis.scene import NoSourceSlideError, find_source_side
from stainbridge.slides.case import Case
from stainbridge.slides.slide import Slide
from stainbridge.whole import whole_file

#: The columns of the table.
COLUMNS = ("fixed", "moving", "split", "fixed_mpp", "moving_mpp")


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("out", type=Path, help="the table to write")
    parser.add_argument("data", type=Path, nargs="+", help="data sets of pairs")
    parser.add_argument("--source", default="HE", help="the stain to translate from")
    options = parser.parse_args()
    cases = [case for path in options.data for case in read_data_set(path).cases]
    pairs = [pair for case in cases if (pair := read_pair(case, options.source)) is not None]
    with whole_file(options.out) as temporary, temporary.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for number, (source, target) in enumerate(pairs):
            split = "train" if number else "test"
            writer.writerow((source[0], target[0], split, source[1], target[1]))


def read_pair(case: Case, source: str) -> tuple[tuple[str, str], tuple[str, str]] | None:
    """Return path and missing pixel size of source and target; None where neither is `source`."""
    with case.open_fixed() as fixed, case.open_moving() as moving:
        try:
            side = find_source_side(fixed, moving, source)
        except NoSourceSlideError:
            return None
        described = (describe_slide(fixed), describe_slide(moving))
    return described if side == "fixed" else (described[1], described[0])


def describe_slide(slide: Slide) -> tuple[str, str]:
    """Return the path, and the pixel size that is to be assumed; empty where it is known."""
    return str(Path(slide.info.path).resolve()), "" if slide.frame.calibrated else "1"


if __name__ == "__main__":
    main()
