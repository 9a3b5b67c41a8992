"""The published table of the affine network, re-made: initial, preprocessed, affine-net, SIFT, ORB,
iterative.

    STAINBRIDGE_DATA=../shared/data python benchmarks/affine_net.py --weights affine-net --out affine.jsonl
    python benchmarks/affine_net.py --weights affine-run --out affine.jsonl --generated 40 --every 0
    python benchmarks/affine_net.py --weights affine-net --forward cuda     # a forward pass in ms, nothing else

Cases: the real pairs as given, both ways; every n-th of their hard starts; generated pairs of seeds
that no training draws. A landmark's rTRE is its error on the moving slide over that slide's
diagonal (ANHIR's target). Of a case the median, the mean and the largest are taken; over cases the
median of the first and the means of the others, as in the paper. A method without a result counts
as unregistered. Success: from there, the deformable stage of the preset `fast` ends with a median
rTRE below 0.01.

Times are of the processor, one thread, from overviews in memory: they bear other work beside. Rows
are appended to OUT as they are made; the same command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from registration import SECTIONS, Pair, hard_starts, pairs
from stainbridge.evaluate.methods.features import align_by_orb, align_by_sift
from stainbridge.evaluate.methods.intensity import IntensitySettings, load_intensity
from stainbridge.geometry.placement import place_unregistered
from stainbridge.geometry.transform import Affine, Chain, Transform
from stainbridge.learn.named_weights import find_weights
from stainbridge.phantom.pairs.pair import generate_pair
from stainbridge.phantom.staining.library import STAINS
from stainbridge.registration.config import LearnedAffineConfig, RegisterConfig
from stainbridge.registration.sections.section import Section, read_section
from stainbridge.registration.stages.affine import ranked, refine
from stainbridge.registration.stages.deformable import deform
from stainbridge.registration.stages.learned_affine import LearnedAffine
from stainbridge.registration.stages.learned_stages import AffineStage
from stainbridge.registration.stages.search import Hypothesis, search
from stainbridge.slides.memory import ArraySlide
from stainbridge.slides.slide import Slide

SETTINGS = RegisterConfig.preset("fast")
FIRST_SEED = 2**31  # training draws smaller ones
SUCCESS = 0.01


@dataclass(frozen=True, eq=False)
class Prepared:
    """A pair and what the stages look at."""

    pair: Pair
    fixed: Section
    moving: Section
    starts: list[Hypothesis]

    def affine(self, found: Hypothesis) -> Affine:
        return Affine(found.matrix, self.pair.fixed.frame, self.pair.moving.frame)


Method = Callable[[Prepared], Transform | None]


def methods(network: LearnedAffine) -> dict[str, Method]:
    """What is compared; "affine-net" begins at the search's starts, as the iterative method of
    stainbridge does.
    """
    plain, rough = LearnedAffineConfig(), LearnedAffineConfig(passes=1, finer=0)
    own = LearnedAffineConfig(angles=48)
    iterative = load_intensity(IntensitySettings(deformable=False))

    def learned(p: Prepared) -> Transform:
        return p.affine(AffineStage(network, plain)(p.fixed, p.moving, p.starts)[0][0])

    def once(p: Prepared) -> Transform:
        return p.affine(AffineStage(network, rough)(p.fixed, p.moving, p.starts)[0][0])

    def alone(p: Prepared) -> Transform:
        return p.affine(AffineStage(network, own).found_turned(p.fixed, p.moving, SETTINGS)[0])

    return {
        "initial": lambda p: unregistered(p.pair),
        "preprocessed (search)": lambda p: p.affine(p.starts[0]),
        "affine-net, one pass": once,
        "affine-net": learned,
        "affine-net without a search": alone,
        "SIFT": lambda p: align_by_sift(p.pair.fixed, p.pair.moving).transform,
        "ORB": lambda p: align_by_orb(p.pair.fixed, p.pair.moving).transform,
        "iterative (SimpleITK)": lambda p: iterative(p.pair.fixed, p.pair.moving).transform,
        "iterative (stainbridge)": lambda p: p.affine(
            refine(p.fixed, p.moving, list(p.starts), SETTINGS.affine)[0]
        ),
    }


def cases(every: int, generated: int, seed: int) -> Iterator[tuple[str, Pair]]:
    if "STAINBRIDGE_DATA" in os.environ:
        yield from (("real, as given", pair) for pair in pairs(SECTIONS, both=True))
        starts = (
            s
            for n, pair in enumerate(pairs(SECTIONS, both=False))
            for s in hard_starts(pair, 24 * n, seed)
        )
        yield from (
            ("real, hard starts", pair) for n, pair in enumerate(starts) if every and n % every == 0
        )
    for number in range(generated):
        yield "generated", drawn(FIRST_SEED + number)


def drawn(seed: int) -> Pair:
    """A generated `real` pair of any organ, stains, angle and flip; hard starts and all."""
    rng = np.random.default_rng(seed)
    one, other = rng.choice(list(STAINS), 2)
    made = generate_pair(
        seed=seed,
        size_px=1024,
        mpp=float(np.exp(rng.uniform(*np.log((1.5, 6.0))))),
        fixed_stain=str(one),
        moving_stain=str(other),
        organ="any",
        rotation_deg=float(rng.uniform(-180, 180)),
        flip=bool(rng.integers(2)),
    )
    slides = [in_memory(slide) for slide in (made.fixed, made.moving)]
    return Pair(
        f"{seed} {one}/{other}",
        *slides,
        made.fixed_landmarks.points_px,
        made.moving_landmarks.points_px,
    )


def in_memory(slide: Slide) -> ArraySlide:
    return ArraySlide(
        slide.read(slide.frame).pixels, slide.frame.mpp[0], slide.frame.label, slide.stain
    )


def prepared(pair: Pair) -> tuple[Prepared, float] | None:
    """With the processor seconds that the search takes; None where there is no tissue."""
    fixed, moving = (read_section(slide, SETTINGS.working_px) for slide in (pair.fixed, pair.moving))
    if fixed is None or moving is None:
        return None
    began = time.process_time()
    starts = ranked(
        fixed, moving, search(fixed, moving, SETTINGS.search), SETTINGS.search.hypotheses
    )
    return Prepared(pair, fixed, moving, starts), time.process_time() - began


def unregistered(pair: Pair) -> Affine:
    return place_unregistered(pair.fixed.frame.space, pair.moving.frame.space)


def errors(pair: Pair, transform: Transform) -> np.ndarray:
    moved = pair.moving.frame.to_px(transform(pair.fixed.frame.to_um(pair.fixed_px)))
    distances: np.ndarray = np.linalg.norm(moved - pair.moving_px, axis=1)
    return distances / np.hypot(pair.moving.frame.width, pair.moving.frame.height)


def converges(p: Prepared, start: Transform) -> bool:
    """Whether the deformable stage ends where it should from here."""
    assert SETTINGS.deformable is not None
    assert isinstance(start, Affine)
    field = deform(p.fixed, p.moving, start, SETTINGS.deformable).field
    return bool(np.median(errors(p.pair, Chain((field, start)))) < SUCCESS)


def measured(name: str, method: Method, p: Prepared, search_s: float) -> dict[str, object]:
    began = time.process_time()
    try:
        found, note = method(p), ""
    except RuntimeError as error:  # SimpleITK's, where pictures do not overlap
        found, note = None, str(error).splitlines()[0]
    seconds = search_s if name.startswith("preprocessed") else time.process_time() - began
    counted = errors(p.pair, found or unregistered(p.pair))
    success = found is not None and name != "initial" and converges(p, found)
    spread = {"median": np.median(counted), "mean": counted.mean(), "max": counted.max()}
    return {
        **{key: float(value) for key, value in spread.items()},
        "ms": 1000 * seconds,
        "ok": success,
        "note": note,
    }


def forward_ms(
    network: LearnedAffine, sides: tuple[int, ...] = (128, 256, 1024), passes: int = 50
) -> str:
    """A line for each side in pixels: the median milliseconds of one pass of one pair, and of six
    at once.
    """
    lines = []
    for side in sides:
        times = []
        for count in (1, 6):
            fixed, moving = (
                torch.rand(n, 1, side, side, device=network.device) for n in (1, count)
            )
            spent = []
            for _ in range(passes):
                began = time.perf_counter()
                with torch.inference_mode():
                    network.network(fixed, moving).cpu()  # waits for the device
                spent.append(1000 * (time.perf_counter() - began))
            times.append(f"{np.median(spent[passes // 5 :]):.1f} ms")
        lines.append(f"{network.device}, {side} px: one pair {times[0]}, six {times[1]}")
    return "\n".join(lines)


def table(rows: list[dict[str, object]]) -> str:
    lines = [
        "| set | method | median | average | max (avg) | ms | success % |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for group in dict.fromkeys(row["set"] for row in rows):
        for name in dict.fromkeys(row["method"] for row in rows):
            some = [row for row in rows if row["set"] == group and row["method"] == name]
            column = {
                key: np.array([float(str(row[key])) for row in some])
                for key in ("median", "mean", "max", "ms")
            }
            share = np.mean([bool(row["ok"]) for row in some])
            figures = np.median(column["median"]), column["mean"].mean(), column["max"].mean()
            words = " | ".join(f"{figure:.4f}" for figure in figures)
            time_ms = "" if name == "initial" else f"{np.median(column['ms']):.0f}"
            lines.append(f"| {group} ({len(some)}) | {name} | {words} | {time_ms} | {share:.0%} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--weights", default="affine-net")
    parser.add_argument("--out", type=Path, default=Path("affine.jsonl"))
    parser.add_argument(
        "--forward", metavar="DEVICE", help="only time the network on this device: cpu or cuda"
    )
    parser.add_argument("--every", type=int, default=6, help="take every n-th hard start; 0: none")
    parser.add_argument("--generated", type=int, default=24)
    parser.add_argument("--methods", help="only these, by commas")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.forward:
        print(forward_ms(LearnedAffine.load(find_weights(options.weights), options.forward)))
        return
    chosen = methods(LearnedAffine.load(find_weights(options.weights)))
    if options.methods:
        chosen = {name: chosen[name] for name in options.methods.split(",")}
    rows = (
        [json.loads(line) for line in options.out.read_text().splitlines()]
        if options.out.exists()
        else []
    )
    done = {(row["case"], row["method"]) for row in rows}
    for group, pair in cases(options.every, options.generated, seed=0):
        missing = [name for name in chosen if (f"{group}: {pair.name}", name) not in done]
        ready = prepared(pair) if missing else None
        if ready is None:
            continue
        chosen[missing[0]](ready[0])  # warms caches of shrunk sections, which all share
        for name in missing:
            row = {"set": group, "case": f"{group}: {pair.name}", "method": name}
            rows.append(row | measured(name, chosen[name], *ready))
            with options.out.open("a") as file:
                file.write(json.dumps(rows[-1]) + "\n")
    print(table(rows))


if __name__ == "__main__":
    main()
