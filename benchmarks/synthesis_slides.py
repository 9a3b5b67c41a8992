"""List slides to train translations on, in a table for `stainbridge train translate --data`.

    python benchmarks/synthesis_slides.py slides.csv sections/pairs.csv DATA/rat_kidney/pairs.csv
    python benchmarks/synthesis_slides.py aligned.csv sections DATA/rat_kidney --register aligned

The slide in the source stain comes first. Pairs without one are left out. A slide without a pixel
size gets 1 µm per pixel, as `benchmark synthesis` reads it. The first pair is validated on.
`--register` aligns each pair, for objectives that need pairs; pairs that are not `ok` are left out.
"""

from __future__ import annotations

import argparse
import csv
from dataclasses import dataclass
from pathlib import Path

import stainbridge
from stainbridge.datasets.layouts import read_data_set
from stainbridge.evaluate.synthesis.scene import NoSourceSlideError, find_source_side
from stainbridge.slides.case import Case
from stainbridge.slides.slide import Slide
from stainbridge.whole import whole_file

#: The columns of the table.
COLUMNS = ("fixed", "moving", "split", "fixed_mpp", "moving_mpp", "transform")
#: The pixel size of a slide that has none, in µm.
ASSUMED_MPP = 1.0


@dataclass(frozen=True)
class ListedSlide:
    """A slide of the table."""

    path: str
    """Where it is."""
    missing_mpp: float | None
    """The pixel size that is assumed, in µm; None where the file says it."""


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("out", type=Path, help="the table to write")
    parser.add_argument("data", type=Path, nargs="+", help="data sets of pairs")
    parser.add_argument("--source", default="HE", help="the stain to translate from")
    parser.add_argument("--register", type=Path, help="align each pair, in this folder")
    options = parser.parse_args()
    cases = [case for path in options.data for case in read_data_set(path).cases]
    pairs = [pair for case in cases if (pair := read_pair(case, options.source)) is not None]
    rows = []
    for number, (source, target) in enumerate(pairs):
        transform = ""
        if options.register is not None:
            folder = options.register / f"{number:03d}"
            if not align_pair(source, target, folder):
                continue
            transform = str(folder.resolve())
        mpp = [slide.missing_mpp or "" for slide in (source, target)]
        rows.append((source.path, target.path, "train" if rows else "test", *mpp, transform))
    with whole_file(options.out) as temporary, temporary.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(rows)


def read_pair(case: Case, source: str) -> tuple[ListedSlide, ListedSlide] | None:
    """Return source and target; None where neither slide is in the stain `source`."""
    with case.open_fixed() as fixed, case.open_moving() as moving:
        try:
            side = find_source_side(fixed, moving, source)
        except NoSourceSlideError:
            return None
        described = (describe_slide(fixed), describe_slide(moving))
    return described if side == "fixed" else (described[1], described[0])


def describe_slide(slide: Slide) -> ListedSlide:
    """Return the path, and the pixel size that is to be assumed."""
    return ListedSlide(
        str(Path(slide.info.path).resolve()), None if slide.frame.calibrated else ASSUMED_MPP
    )


def align_pair(source: ListedSlide, target: ListedSlide, folder: Path) -> bool:
    """Register the target to the source slide into `folder`; return whether it is `ok`."""
    registration = stainbridge.register(
        source.path,
        target.path,
        fixed_mpp=source.missing_mpp,
        moving_mpp=target.missing_mpp,
        seed=0,
    )
    print(f"{folder.name}: {registration.status} {registration.reason or ''}".rstrip())
    if registration.status != "ok":
        return False
    registration.save(folder)
    return True


if __name__ == "__main__":
    main()
