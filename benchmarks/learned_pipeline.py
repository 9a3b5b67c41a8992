"""Compare the whole registration with and without trained networks: rTRE, success, CPU seconds.

    STAINBRIDGE_DATA=../shared/data python benchmarks/learned_pipeline.py given --out pipeline.jsonl
    python benchmarks/learned_pipeline.py hard --preset fast --affine affine-run \\
        --field unet-run --out hard.jsonl

Pairs, starts and rTRE are those of benchmarks/registration.py. Seconds are processor seconds of all
threads, so that other work on the machine does not count. Rows are appended to OUT; the same
command resumes where it was stopped.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from real_pairs import SECTIONS, LandmarkPair, draw_hard_starts, open_pairs, relative_errors
from stainbridge.evaluate.row import SUCCESS_RTRE
from stainbridge.registration.config import (
    LearnedAffineConfig,
    LearnedFieldConfig,
    RegisterConfig,
)
from stainbridge.registration.pipeline import register_slides


def list_pipelines(preset: str, affine: str | None, field: str | None) -> dict[str, RegisterConfig]:
    """Return the preset, and the preset with networks in place of some of its stages."""
    plain = RegisterConfig.preset(preset)
    pipelines = {preset: plain}
    if affine:
        first = LearnedAffineConfig(weights=affine)
        own_angles = replace(first, angles=48)
        pipelines["affine-net first"] = plain.with_stage(first)
        pipelines["affine-net in place of the affine"] = plain.with_stage(
            replace(first, refine=False)
        )
        pipelines["affine-net, own angles, no search"] = replace(
            plain, stages=(own_angles, *plain.stages)
        )
    if field:
        learned = LearnedFieldConfig(weights=field)
        pipelines["network in place of the deformable"] = plain.with_stage(
            replace(learned, optimise=None)
        )
        pipelines["network, then a few steps"] = plain.with_stage(learned)
    if affine and field:
        both = plain.with_stage(LearnedAffineConfig(weights=affine))
        pipelines["both"] = both.with_stage(LearnedFieldConfig(weights=field))
    return pipelines


def draw_pairs(what: str, every: int, seed: int) -> Iterator[LandmarkPair]:
    if what == "given":
        yield from open_pairs(SECTIONS, both_directions=True)
        return
    for pair in open_pairs(SECTIONS, both_directions=False):
        yield from draw_hard_starts(pair, seed, every)


def score_pipeline(pair: LandmarkPair, config: RegisterConfig) -> dict[str, object]:
    """Register a pair; without a result it has rTRE 1."""
    start = time.process_time()
    registration = register_slides(pair.fixed, pair.moving, config)
    cpu_s = time.process_time() - start
    rtre = 1.0
    if registration.solution is not None:
        rtre = float(np.median(relative_errors(pair, registration.solution)))
    return {"name": pair.name, "status": registration.status, "rtre": rtre, "cpu_s": cpu_s}


def table(rows: list[dict[str, object]]) -> str:
    lines = [
        "| pipeline | registrations | median rTRE | mean rTRE | success | failed | s, median |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name in dict.fromkeys(row["pipeline"] for row in rows):
        some = [row for row in rows if row["pipeline"] == name]
        rtre, seconds = (
            np.array([float(str(row[key])) for row in some]) for key in ("rtre", "cpu_s")
        )
        failed = sum(row["status"] == "failed" for row in some)
        success = (rtre < SUCCESS_RTRE).mean()
        figures = f"{np.median(rtre):.4f} | {rtre.mean():.4f} | {success:.0%} | {failed}"
        lines.append(f"| {name} | {len(some)} | {figures} | {np.median(seconds):.2f} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("given", "hard"))
    parser.add_argument("--preset", default="default")
    parser.add_argument("--affine", metavar="WEIGHTS")
    parser.add_argument("--field", metavar="WEIGHTS")
    parser.add_argument("--every", type=int, default=6, help="hard: take every n-th start")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    rows = (
        [json.loads(line) for line in options.out.read_text().splitlines()]
        if options.out.exists()
        else []
    )
    done = {(row["name"], row["pipeline"]) for row in rows}
    pipelines = list_pipelines(options.preset, options.affine, options.field)
    for pair in draw_pairs(options.what, options.every, options.seed):
        for name in (name for name in pipelines if (pair.name, name) not in done):
            rows.append({**score_pipeline(pair, pipelines[name]), "pipeline": name})
            with options.out.open("a") as file:
                file.write(json.dumps(rows[-1]) + "\n")
    print(table(rows))


if __name__ == "__main__":
    main()
