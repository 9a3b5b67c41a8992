"""Landmark accuracy and time of `register` on real pairs: as given (both directions), hard starts,
whole slides.

    STAINBRIDGE_DATA=../shared/data python benchmarks/registration.py given --preset default
    STAINBRIDGE_DATA=../shared/data python benchmarks/registration.py hard --preset fast --every 1
    STAINBRIDGE_DATA=../shared/data python benchmarks/registration.py cytology --preset accurate

rTRE is the landmark error ÷ the diagonal of the moving image (ANHIR's target). A hard start is the
moving image cropped to 70-100 % of its area, scaled by 0.7-1.4, turned (12 angles spread over
360°), mirrored or not, shifted by up to 25 %, on a white canvas. A failed registration counts as
rTRE 1 and robustness 0.
"""

from __future__ import annotations

import argparse
import csv
import os
import resource
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stainbridge.evaluate.starts import disturb, draw_rotation_and_flip
from stainbridge.geometry.landmarks import read_points_csv
from stainbridge.registration.config import RegisterConfig
from stainbridge.registration.pipeline import register_slides
from stainbridge.registration.verdict.verification import folded_share
from stainbridge.slides.memory import ArraySlide
from stainbridge.slides.open import open_slide
from stainbridge.slides.slide import Slide

SECTIONS = ("rat_kidney", "lung_lesion_1", "lung_lesion_3")
ROTATIONS = 12
#: Best peer's median rTRE per pair, as measured on these data with each peer's own configuration.
BEST_PEER = {
    "rat_kidney_HE_PanCK": 0.0019,
    "lesion1_HE_proSPC": 0.0037,
    "lesion3_He_CD31": 0.0040,
    "lesion3_He_Ki67": 0.0086,
    "lesion3_CD31_Ki67": 0.0043,
}


@dataclass(frozen=True, eq=False)
class Pair:
    name: str
    fixed: Slide
    moving: Slide
    fixed_px: npt.NDArray[np.float64]
    moving_px: npt.NDArray[np.float64]


@dataclass(frozen=True)
class Row:
    name: str
    status: str
    rtre: float
    error_px: float
    robustness: float
    folded: float
    seconds: float
    predicted: float


def pairs(sets: tuple[str, ...], both: bool) -> Iterator[Pair]:
    if "STAINBRIDGE_DATA" not in os.environ:
        raise SystemExit("set STAINBRIDGE_DATA to the folder of the real pairs")
    root = Path(os.environ["STAINBRIDGE_DATA"])
    for name in sets:
        for row in csv.DictReader((root / name / "pairs.csv").open()):
            fixed, moving = (open_slide(root / name / row[side]) for side in ("fixed", "moving"))
            a, b = (
                read_points_csv(root / name / row[f"{side}_landmarks"])[0]
                for side in ("fixed", "moving")
            )
            count = min(len(a), len(b))
            yield Pair(row["case"], fixed, moving, a[:count], b[:count])
            if both:
                yield Pair(row["case"] + " reversed", moving, fixed, b[:count], a[:count])


def hard_starts(pair: Pair, first: int, seed: int) -> Iterator[Pair]:
    image = pair.moving.read(pair.moving.frame)
    for index in range(2 * ROTATIONS):
        rng = np.random.default_rng([seed, first + index])
        degrees, flip = draw_rotation_and_flip(index, 2 * ROTATIONS, rng)
        start = disturb(image, pair.moving_px, degrees, flip, rng)
        slide = ArraySlide(start.pixels, name="hard start")
        name = f"{pair.name} {degrees:.0f}°{' flip' if flip else ''}"
        yield Pair(name, pair.fixed, slide, pair.fixed_px[start.kept], start.points_px)


def measure(pair: Pair, config: RegisterConfig) -> Row:
    began = time.perf_counter()
    result = register_slides(pair.fixed, pair.moving, config)
    seconds = time.perf_counter() - began
    moving = pair.moving.frame
    if result.solution is None:
        return Row(pair.name, result.status, 1.0, float("nan"), 0.0, 0.0, seconds, float("nan"))
    before = np.linalg.norm(pair.fixed_px - pair.moving_px, axis=1)
    after = np.linalg.norm(result.warp_points(pair.fixed_px, to="moving") - pair.moving_px, axis=1)
    folded = folded_share(result.transform, pair.fixed.frame.fit(1024))
    diagonal = float(np.hypot(moving.width, moving.height))
    error = float(np.median(after))
    return Row(
        pair.name,
        result.status,
        error / diagonal,
        error,
        float((after < before).mean()),
        folded,
        seconds,
        result.predicted_rtre,
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("given", "hard", "cytology"))
    parser.add_argument("--preset", default="default")
    parser.add_argument("--every", type=int, default=1, help="hard: take every n-th start")
    parser.add_argument("--back", action="store_true", help="hard: the pairs the other way round")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    config = RegisterConfig.preset(options.preset)
    register_slides(*_warm_up(), config)
    both = options.what != "hard" or options.back
    cases = pairs(("cytology_4scanner",) if options.what == "cytology" else SECTIONS, both)
    if options.what == "hard":
        turned = ((n, pair) for n, pair in enumerate(cases) if n % 2 or not options.back)
        starts = (
            s for n, pair in turned for s in hard_starts(pair, n * 2 * ROTATIONS, options.seed)
        )
        cases = (start for index, start in enumerate(starts) if index % options.every == 0)
    rows = []
    heads = f"{'improved':>8s} {'folded':>7s} {'s':>6s} {'predicted':>9s}  best peer"
    print(f"{'pair':38s} {'status':9s} {'rTRE':>7s} {'px':>7s} {heads}")
    for pair in cases:
        row = measure(pair, config)
        print(
            _line(
                row,
                BEST_PEER.get(row.name.removesuffix(" reversed"))
                if options.what == "given"
                else None,
            ),
            flush=True,
        )
        rows.append(row)
    print(f"\n{options.what}, preset {options.preset}: {_summary(rows)}")


def _line(row: Row, peer: float | None) -> str:
    target = "" if peer is None else f"{peer:.4f}" + (" reached" if row.rtre <= peer + 3e-4 else "")
    return (
        f"{row.name:38s} {row.status:9s} {row.rtre:7.4f} {row.error_px:7.2f} {row.robustness:8.1%} {row.folded:7.2%} "
        f"{row.seconds:6.2f} {row.predicted:9.4f}  {target}"
    )


def _summary(rows: list[Row]) -> str:
    table = np.array([(r.rtre, r.error_px, r.robustness, r.folded, r.seconds) for r in rows])
    return (
        f"{len(rows)} registrations; MMrTRE {np.median(table[:, 0]):.4f}, AMrTRE {table[:, 0].mean():.4f}, "
        f"success (median rTRE < 0.01) {(table[:, 0] < 0.01).mean():.1%}, "
        f"median error {np.nanmedian(table[:, 1]):.2f} px, landmarks improved {table[:, 2].mean():.1%}, "
        f"with folds {(table[:, 3] > 0).sum()}, "
        f"seconds median {np.median(table[:, 4]):.2f} max {table[:, 4].max():.2f}, "
        f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB"
    )


def _warm_up() -> tuple[ArraySlide, ArraySlide]:
    """Two small slides, so that imports and first-call costs are not charged to the first pair."""
    picture = np.full((3, 96, 96), 240, np.uint8)
    picture[:, 20:70, 30:80] = np.random.default_rng(0).integers(60, 200, (3, 50, 50), np.uint8)
    return ArraySlide(picture), ArraySlide(picture)


if __name__ == "__main__":
    main()
