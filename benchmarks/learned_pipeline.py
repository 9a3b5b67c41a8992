"""The whole registration with trained networks beside without: rTRE, success from hard starts,
processor seconds.

    STAINBRIDGE_DATA=../shared/data python benchmarks/learned_pipeline.py given --out pipeline.jsonl
    python benchmarks/learned_pipeline.py hard --preset fast --affine affine-run --field unet-run
    --out hard.jsonl

Pairs, starts and rTRE are those of benchmarks/registration.py. Seconds are of the processor, of all
threads, so that they bear other work beside. Rows are appended to OUT; the same command goes on
where it was stopped.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from registration import SECTIONS, Pair, hard_starts, measure, pairs
from stainbridge.registration.config import LearnedAffineConfig, LearnedFieldConfig, RegisterConfig

SUCCESS = 0.01


def pipelines(preset: str, affine: str | None, field: str | None) -> dict[str, RegisterConfig]:
    """The preset, and it with networks in place of some of its work."""
    plain = RegisterConfig.preset(preset)
    found = {preset: plain}
    if affine:
        first = LearnedAffineConfig(affine)
        found["affine-net first"] = replace(plain, learned_affine=first)
        found["affine-net in place of the affine"] = replace(
            plain, learned_affine=replace(first, refine=False)
        )
        found["affine-net, own starts, no search"] = replace(
            plain, learned_affine=replace(first, angles=48)
        )
    if field:
        bent = LearnedFieldConfig(field)
        found["network in place of the deformable"] = replace(
            plain, learned_field=replace(bent, optimise=None)
        )
        found["network, then a few steps"] = replace(plain, learned_field=bent)
    if affine and field:
        both = LearnedAffineConfig(affine), LearnedFieldConfig(field)
        found["both"] = replace(plain, learned_affine=both[0], learned_field=both[1])
    return found


def cases(what: str, every: int, seed: int) -> Iterator[Pair]:
    if what == "given":
        yield from pairs(SECTIONS, both=True)
        return
    starts = (
        s
        for n, pair in enumerate(pairs(SECTIONS, both=False))
        for s in hard_starts(pair, 24 * n, seed)
    )
    yield from (pair for number, pair in enumerate(starts) if number % every == 0)


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
        figures = (
            f"{np.median(rtre):.4f} | {rtre.mean():.4f} | {(rtre < SUCCESS).mean():.0%} | {failed}"
        )
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
    chosen = pipelines(options.preset, options.affine, options.field)
    for pair in cases(options.what, options.every, options.seed):
        for name in (name for name in chosen if (pair.name, name) not in done):
            began = time.process_time()
            row = asdict(measure(pair, chosen[name]))
            rows.append({**row, "pipeline": name, "cpu_s": time.process_time() - began})
            with options.out.open("a") as file:
                file.write(json.dumps(rows[-1]) + "\n")
    print(table(rows))


if __name__ == "__main__":
    main()
