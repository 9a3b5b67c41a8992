"""How well do `stainbridge pairs` align patches, and does its estimate tell?

    python benchmarks/pairing.py --work FOLDER --seeds 1 2 3 4          # resumes
    python benchmarks/pairing.py --work FOLDER --engine elastix --seeds 1 2
    python benchmarks/pairing.py --work FOLDER --seeds 31 --mpp 1       # tissue of 20,000 px
    python benchmarks/pairing.py --work FOLDER --again                  # scores aligned pairs anew
    python benchmarks/pairing.py --page docs/results/pairing.md

Generated slides of 10,000 px at 0.5 µm, of difficulty `real`, are written as files, then aligned
and cut with the default settings. The exact map between them tells the misalignment of every patch.
A row of each pair goes to docs/results/pairing/. Alignments stay in the folder: where only the
scores of patches changed, `--again` measures them without aligning again.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import pickle
import resource
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import numpy as np

from stainbridge.geometry.transform import Transform
from stainbridge.pairing.alignment import Alignment
from stainbridge.pairing.config import PairingConfig
from stainbridge.pairing.cut import PatchCutter, cut_patches
from stainbridge.pairing.engines.table import find_engine
from stainbridge.pairing.plan import Place, plan_patches
from stainbridge.pairing.source import SlidePair
from stainbridge.phantom.pairs.pair import PhantomPair, generate_pair
from stainbridge.slides.open import open_slide
from stainbridge.slides.slide import Slide
from stainbridge.slides.writing.write import write_slide
from stainbridge.whole import whole_file

T = TypeVar("T")

ROOT = Path(__file__).parents[1]
#: Where the rows are kept.
ROWS = ROOT / "docs" / "results" / "pairing" / "pairs.jsonl"
#: What the tables of the page stand between.
BEGIN = "<!-- tables -->"
END = "<!-- end of tables -->"
#: The generated slides: side in pixels, µm per pixel.
SIZE_PX = 10_000
MPP = 0.5
#: Side of a patch in µm.
PATCH_UM = 512.0
#: Quality of the slides' JPEG tiles.
QUALITY = 90
#: Organ and stain of the moving slide change with the seed.
ORGANS = ("gland", "any")
STAINS = ("HER2", "Ki67", "PanCK", "ER")
#: Points along each side of a patch at which the truth is compared.
POINTS = 17
#: Least share of these points at which the truth is a correspondence of tissue.
LEAST_VALID = 0.3
#: A patch is badly aligned from this many pixels on.
BAD_PX = 8.0


def make_pair(seed: int, size_px: int, mpp: float = MPP) -> PhantomPair:
    """Return the generated slides of a seed."""
    return generate_pair(
        seed=seed,
        size_px=size_px,
        mpp=mpp,
        fixed_stain="HE",
        moving_stain=STAINS[seed % len(STAINS)],
        organ=ORGANS[seed % len(ORGANS)],
        difficulty="real",
    )


def name_slides(work: Path, seed: int, size_px: int, mpp: float = MPP) -> tuple[Path, Path]:
    """Return the files of the two slides of a seed."""
    name = f"{seed}_{size_px}" if mpp == MPP else f"{seed}_{size_px}_{mpp:g}um"
    fixed, moving = (work / f"{name}_{side}.tiff" for side in ("fixed", "moving"))
    return fixed, moving


def draw_slides(work: Path, seed: int, size_px: int, mpp: float = MPP) -> None:
    """Write both slides of a seed as pyramids; what is there stays."""
    work.mkdir(parents=True, exist_ok=True)
    pair = make_pair(seed, size_px, mpp)
    slides = (pair.fixed, pair.moving)
    for path, slide in zip(name_slides(work, seed, size_px, mpp), slides, strict=True):
        if not path.exists():
            write_slide(slide, path, quality=QUALITY, threads=1)


def measure_pair(
    work: Path, seed: int, size_px: int, mpp: float, engine: str, every: int, again: bool
) -> dict[str, Any]:
    """Align and cut the pair of a seed, and return its row; every n-th patch is measured.

    `again` takes the alignment of the last time, where there is one.
    """
    truth = make_pair(seed, size_px, mpp)
    config = PairingConfig(engine=engine, patch_px=round(PATCH_UM / mpp))  # type: ignore[arg-type]
    files = name_slides(work, seed, size_px, mpp)
    source = SlidePair(
        id=str(seed), patient=str(seed), split="train", fixed=files[0], moving=files[1]
    )
    with open_slide(files[0]) as fixed, open_slide(files[1]) as moving:
        kept = files[0].with_name(files[0].name.replace("fixed.tiff", f"{engine}.alignment"))
        if again and kept.exists():
            alignment, seconds = pickle.loads(kept.read_bytes())
        else:
            alignment, seconds = align_timed(fixed, moving, config)
            with whole_file(kept) as temporary:
                temporary.write_bytes(pickle.dumps((alignment, seconds)))
        row: dict[str, Any] = {
            "seed": seed,
            "size_px": size_px,
            "mpp": mpp,
            "engine": engine,
            "organ": truth.fixed.section.tissue.organ,
            "stain": truth.moving.stain,
            "status": alignment.status,
            "every": every,
            **seconds,
            "patches": [],
        }
        if alignment.transform is not None:
            cutter = PatchCutter.open(
                source,
                fixed,
                moving,
                alignment.transform,
                alignment.status,
                config,
                error=alignment.error,
            )
            # Every n-th of a row, and one further along in the next row.
            places = [
                place
                for place in plan_patches(fixed, config)
                if (place.x_px // config.step_px + place.y_px // config.step_px) % every == 0
            ]
            started = time.perf_counter()
            cpu = time.process_time()
            with TemporaryDirectory(dir=work) as out:
                patches = cut_patches(cutter, places, Path(out))
            row["cut_seconds"] = round(time.perf_counter() - started, 1)
            row["cut_cpu_seconds"] = round(time.process_time() - cpu, 1)
            row["patches"] = [
                {
                    "x": patch.x_px,
                    "y": patch.y_px,
                    **measure_truth(truth, cutter.transform, place),
                    "estimated": round(patch.scores.residual_px, 2),
                    "alignment_error": measure_error(cutter, place),
                    "uncertainty": round(patch.scores.residual_uncertainty_px, 2),
                    "tissue": round(min(patch.scores.tissue_fixed, patch.scores.tissue_moving), 2),
                    "blur": round(max(patch.scores.blur_fixed, patch.scores.blur_moving), 2),
                    "fold": round(patch.scores.fold, 3),
                    "pen": round(patch.scores.pen, 3),
                    "dropped_for": patch.dropped_for,
                }
                for patch, place in zip(patches, places, strict=True)
            ]
    row["peak_mb"] = max(row.pop("align_peak_mb"), measure_peak_mb())
    return row


def measure_error(cutter: PatchCutter, place: Place) -> float | None:
    """Return the alignment's error over a patch in its pixels; None where none is told."""
    if cutter.error is None:
        return None
    return round(cutter.error.measure(place.frame) / place.frame.mpp[0], 3)


def align_timed(
    fixed: Slide, moving: Slide, config: PairingConfig
) -> tuple[Alignment, dict[str, float]]:
    """Return the alignment of two slides, and what it took: seconds, and memory in MB."""
    started = time.perf_counter()
    cpu = time.process_time()
    alignment = find_engine(config.engine)(fixed, moving, config)
    return alignment, {
        "align_seconds": round(time.perf_counter() - started, 1),
        "align_cpu_seconds": round(time.process_time() - cpu, 1),
        "align_peak_mb": measure_peak_mb(),
    }


def measure_peak_mb() -> int:
    """Return the most memory that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def run_alone(function: Callable[..., T], *arguments: object) -> T:
    """Return what a function gives in a process of its own, whose memory is its own."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(function, *arguments).result()


def measure_truth(slides: PhantomPair, transform: Transform, place: Place) -> dict[str, Any]:
    """Return the true misalignment over a patch in its pixels; None where there is no truth."""
    grid = place.frame.fit(POINTS)
    points = grid.centres_um()
    valid = slides.find_valid(points)
    facts: dict[str, Any] = {"valid": round(float(valid.mean()), 2), "mean": None, "median": None}
    if valid.mean() >= LEAST_VALID:
        errors = transform(points[valid]) - slides.truth(points[valid])
        lengths = np.hypot(*errors.T) / place.frame.mpp[0]
        facts["mean"] = round(float(lengths.mean()), 2)
        facts["median"] = round(float(np.median(lengths)), 2)
    return facts


def read_rows(path: Path = ROWS) -> list[dict[str, Any]]:
    """Return the rows of a file of JSON lines; none where there is no file."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def name_row(row: Mapping[str, Any]) -> tuple[float, int, str, int]:
    """Return what tells a row from others, and their order: pixel and slide size, engine, seed."""
    return row.get("mpp", MPP), row["size_px"], row["engine"], row["seed"]


def keep_row(row: Mapping[str, Any], path: Path = ROWS) -> None:
    """Add a row to a file of JSON lines, which stays whole and in order.

    It replaces an earlier one of the same pair and engine.
    """
    others = [each for each in read_rows(path) if name_row(each) != name_row(row)]
    rows = sorted([*others, row], key=name_row)
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as temporary:
        text = "".join(json.dumps(each) + "\n" for each in rows)
        temporary.write_text(text, encoding="utf-8")


def summarise(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Return the figures of the table from the patches of rows, whose truth is known."""
    patches = [patch for row in rows for patch in row["patches"] if patch["mean"] is not None]
    least = PairingConfig().thresholds
    true = np.array([patch["mean"] for patch in patches])
    kept = np.array([not patch["dropped_for"] for patch in patches])
    estimated = np.array([patch["estimated"] for patch in patches], float)
    # Patches with enough tissue, sharp and clean: the residual alone decides on these.
    judged = np.array([patch["dropped_for"] in ("", "max_residual_px") for patch in patches])
    well = judged & (true <= least.max_residual_px)
    told = judged & np.isfinite(estimated)
    ratio = estimated[told] / true[told]
    seconds = sum(row.get("cut_cpu_seconds", 0.0) for row in rows)
    return {
        "patches": len(patches),
        "kept": float(kept.mean()),
        "before": float(np.median(true[judged])),
        "median": float(np.median(true[kept])) if kept.any() else np.nan,
        "bad": float((true[kept] > BAD_PX).mean()) if kept.any() else np.nan,
        "well_kept": float(kept[well].mean()),
        "factor_2": float(((ratio >= 0.5) & (ratio <= 2)).mean()),
        "patches_per_second": sum(len(row["patches"]) for row in rows) / seconds,
        "align_seconds": float(np.mean([row["align_cpu_seconds"] for row in rows])),
        "peak_mb": max(row["peak_mb"] for row in rows),
    }


#: The columns of the tables.
HEADS = (
    "pairs",
    "patches",
    "kept",
    "median before",
    "median kept",
    "kept > 8 px",
    "well aligned kept",
    "within factor 2",
    "patches per CPU s",
    "aligning, CPU s",
    "peak MB",
)


def render_line(name: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """Return a line of the table."""
    facts = summarise(rows)
    nothing_kept = np.isnan(facts["median"])
    cells = (
        str(len(rows)),
        str(facts["patches"]),
        f"{facts['kept']:.0%}",
        f"{facts['before']:.2f} px",
        "–" if nothing_kept else f"{facts['median']:.2f} px",
        "–" if nothing_kept else f"{facts['bad']:.1%}",
        f"{facts['well_kept']:.1%}",
        f"{facts['factor_2']:.1%}",
        f"{facts['patches_per_second']:.2f}",
        f"{facts['align_seconds']:.0f}",
        f"{facts['peak_mb']:.0f}",
    )
    return f"| {name} | {' | '.join(cells)} |"


def name_method(row: Mapping[str, Any]) -> str:
    """Return the engine, and whether its row was measured before alignments told their error."""
    is_current = all("alignment_error" in patch for patch in row["patches"])
    return row["engine"] if is_current else f"{row['engine']}, earlier estimate"


def render_tables(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the table of the engines and that of the pairs."""
    head = f"| | {' | '.join(HEADS)} |"
    rule = "| --- " + "| ---: " * len(HEADS) + "|"
    lines = [head, rule]
    for name in dict.fromkeys(name_method(row) for row in rows):
        lines.append(render_line(name, [row for row in rows if name_method(row) == name]))
    lines += ["", "Each pair:", "", head, rule]
    for row in rows:
        mpp = row.get("mpp", MPP)
        size = f"{row['size_px']:,} px" + ("" if mpp == MPP else f" of {mpp:g} µm")
        what = f"{size}, {row['organ']}, {row['stain']}, {row['status']}"
        name = f"{name_method(row)}, seed {row['seed']}: {what}"
        if any(patch["mean"] is not None for patch in row["patches"]):
            lines.append(render_line(name, [row]))
    return "\n".join(lines)


def write_page(page: Path) -> None:
    """Put the tables into the page, between its marks."""
    text = page.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    tables = render_tables(read_rows())
    with whole_file(page) as temporary:
        temporary.write_text(f"{before}{BEGIN}\n\n{tables}\n\n{END}{after}", encoding="utf-8")


def main() -> None:
    """Run the benchmark, or write its page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, help="folder of the generated slides")
    parser.add_argument("--seeds", type=int, nargs="*", default=[1, 2, 3, 4])
    parser.add_argument("--size", type=int, default=SIZE_PX, help="side of the slides in pixels")
    parser.add_argument("--mpp", type=float, default=MPP, help="µm per pixel of the slides")
    parser.add_argument("--engine", default="stainbridge")
    parser.add_argument("--every", type=int, default=1, help="measure every n-th patch")
    parser.add_argument("--again", action="store_true", help="measure pairs with a row again")
    parser.add_argument("--page", type=Path)
    options = parser.parse_args()
    if options.page:
        write_page(options.page)
        return
    if options.work is None:
        parser.error("--work is needed to measure")
    for seed in options.seeds:
        name = (options.mpp, options.size, options.engine, seed)
        if not options.again and any(name_row(row) == name for row in read_rows()):
            continue
        run_alone(draw_slides, options.work, seed, options.size, options.mpp)
        row = run_alone(
            measure_pair,
            options.work,
            seed,
            options.size,
            options.mpp,
            options.engine,
            options.every,
            options.again,
        )
        keep_row(row)
        print(render_line(f"{options.engine} {seed}", [row]), file=sys.stderr)


if __name__ == "__main__":
    main()
