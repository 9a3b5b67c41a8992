"""Generate blocks of stained sections with truth, and compare chains with direct registrations.

    python -m benchmarks.cohort_blocks --out DIR --blocks 4

The sections of a block lie at growing distances from its reference, and their stains may be faint.
Of each slide the landmarks' errors are printed: of the direct registration to the reference, and of
the way that the cohort took.
"""

from __future__ import annotations

import argparse
import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from stainbridge.cohort.folder import CohortFolder
from stainbridge.cohort.job import CohortJob
from stainbridge.cohort.options import CaseOptions
from stainbridge.geometry.frame import Space
from stainbridge.geometry.landmarks import write_points_csv
from stainbridge.jobs.evaluate_landmarks import EvaluateLandmarksJob
from stainbridge.phantom.glass.slide import PhantomSlide
from stainbridge.phantom.pairs.difficulty import DIFFICULTIES
from stainbridge.phantom.pairs.landmarks import spread_points
from stainbridge.phantom.pairs.sampling import sample_deformation
from stainbridge.phantom.space.randomness import derive_key
from stainbridge.phantom.staining.laboratory import Laboratory
from stainbridge.phantom.staining.library import find_stain
from stainbridge.phantom.staining.stained_section import StainedSection
from stainbridge.phantom.tissue.config import TissueConfig
from stainbridge.slides.writing.write import write_slide
from stainbridge.types import Points

#: Stains of a block, in the order of its sections; the first is the reference.
STAINS = ("HE", "PanCK", "CD31", "Ki67", "HER2", "ER")
SIZE_PX = 512
MPP = 4.0
LANDMARKS = 60
#: Distances of neighbouring sections in µm: those of a ribbon, and those of sections far apart.
STEPS_UM = (5.0, 60.0, 120.0)


def make_slides(seed: int, step_um: float) -> dict[str, PhantomSlide]:
    """Return the slides of a block by their stains; every other immunostain is faint."""
    side_um = SIZE_PX * MPP
    tissue = TissueConfig(seed, side_um, side_um)
    ranges = DIFFICULTIES["real"]
    slides = {}
    for number, name in enumerate(STAINS):
        rng = np.random.default_rng(derive_key(seed, "block", name))
        deformation = sample_deformation(ranges, side_um, rng)
        if not number:
            deformation = replace(deformation, rotation_deg=0.0, flip=False)
        stain = find_stain(name)
        is_faint = stain.is_immunostain and number % 2 == 1
        slides[name] = PhantomSlide(
            StainedSection(tissue, stain, number * step_um),
            Space(f"{seed} {name}", SIZE_PX, SIZE_PX, (MPP, MPP)).frame,
            deformation,
            Laboratory.sample(rng, ranges.laboratory_variation, is_faint),
            seed=derive_key(seed, name),
        )
    return slides


def choose_points(slides: list[PhantomSlide], rng: np.random.Generator) -> list[Points]:
    """Return the same places on each slide, (N, 2) in full-resolution pixels."""
    tissue_um = rng.uniform(0.05, 0.95, (20 * LANDMARKS, 2)) * SIZE_PX * MPP
    places = [slide.tissue_from_slide.inverse()(tissue_um) for slide in slides]
    is_tissue = np.all(
        [
            slide.frame.contains(um) & (slide.tissue_depth_um(um) > 0)
            for slide, um in zip(slides, places, strict=True)
        ],
        axis=0,
    )
    chosen = spread_points(tissue_um, np.flatnonzero(is_tissue), LANDMARKS)
    return [slide.frame.to_px(um[chosen]) for slide, um in zip(slides, places, strict=True)]


def write_blocks(out: Path, count: int, seed: int) -> Path:
    """Write blocks and their manifest, which is returned."""
    rows = []
    for number in range(count):
        step_um = STEPS_UM[number % len(STEPS_UM)]
        slides = make_slides(seed + number, step_um)
        points = choose_points(list(slides.values()), np.random.default_rng(number))
        for (name, slide), px in zip(slides.items(), points, strict=True):
            path = out / f"b{number}-{name}.ome.tiff"
            write_slide(slide, path)
            write_points_csv(path.with_suffix(".csv"), px)
            row = (f"b{number}-{step_um:g}um", path.name, name, path.with_suffix(".csv").name)
            rows.append(row)
    manifest = out / "blocks.csv"
    with manifest.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("block", "slide", "stain", "landmarks"))
        writer.writerows(rows)
    return manifest


def find_error(result: Path, fixed: Path | None, moving: Path | None) -> float | None:
    """Return the landmarks' mean rTRE under a result; None where there is none."""
    if fixed is None or moving is None or not (result / "transform.h5").is_file():
        return None
    job = EvaluateLandmarksJob(fixed_landmarks=fixed, moving_landmarks=moving, result=result)
    return job.run().scores.after.rtre.mean


def compare(out: Path, count: int, seed: int, preset: Any) -> list[dict[str, Any]]:
    """Return for every slide the error of the direct registration, and of the way taken."""
    manifest = out / "blocks.csv"
    if not manifest.is_file():
        write_blocks(out, count, seed)
    options = CaseOptions(preset=preset, report=False)
    job = CohortJob(manifest=manifest, out=out / "cohort", options=options, workers=2)
    job.run()
    folder = CohortFolder(job.out)
    rows = []
    for block in job.list_blocks():
        for slide in block.slides[1:]:
            direct = folder.read_finished(block.name_pair(block.reference, slide))
            taken = folder.read_finished(block.name_result(slide.name))
            assert direct is not None
            assert taken is not None
            marks = (block.reference.landmarks, slide.landmarks)
            rows.append(
                {
                    "block": block.id,
                    "slide": slide.name,
                    "direct": direct.status,
                    "direct_rtre": find_error(folder.case(direct.id), *marks),
                    "taken": taken.status,
                    "taken_rtre": find_error(folder.case(taken.id), *marks),
                    "through": taken.facts.get("through", ""),
                    "loop_rtre": taken.facts.get("loop_rtre"),
                }
            )
    return rows


def format_value(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--blocks", type=int, default=len(STEPS_UM))
    parser.add_argument("--seed", type=int, default=100)
    parser.add_argument("--preset", default="fast")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    rows = compare(given.out, given.blocks, given.seed, given.preset)
    (given.out / "blocks.json").write_text(json.dumps(rows, indent=1) + "\n")
    for row in rows:
        print(" | ".join(map(format_value, row.values())))


if __name__ == "__main__":
    main()
