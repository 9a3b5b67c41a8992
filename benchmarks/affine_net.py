"""Re-make the published table of the affine network beside search, SIFT, ORB and iterative.

    export STAINBRIDGE_DATA=../shared/data
    python benchmarks/affine_net.py --weights affine-net --out affine.jsonl
    python benchmarks/affine_net.py --weights affine-run --out affine.jsonl --generated 40 --every 0
    python benchmarks/affine_net.py --weights affine-net --forward cuda     # only time the network

Cases are the real pairs as given, in both directions; every n-th of their hard starts; and
generated pairs of seeds that no training draws. A landmark's rTRE is its error on the fixed slide ÷
the fixed slide's diagonal. Of a case the median, the mean and the largest are taken; over cases the
median of the first and the means of the others, as in the paper. A method without a result counts
as unregistered. Success: from its result, the deformable stage of the preset `fast` ends with a
median rTRE below 0.01.

Times are processor times of one thread, from overviews in memory, so that other work on the machine
does not count. Rows are appended to OUT as they are made; the same command resumes where it was
stopped.
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

from real_pairs import SECTIONS, LandmarkPair, draw_hard_starts, open_pairs, relative_errors
from stainbridge.evaluate.methods.features import align_by_orb, align_by_sift
from stainbridge.evaluate.methods.intensity import IntensitySettings, load_intensity
from stainbridge.evaluate.row import SUCCESS_RTRE
from stainbridge.geometry.placement import place_unregistered
from stainbridge.geometry.transform import Affine, Chain, Transform
from stainbridge.learn.named_weights import find_weights
from stainbridge.phantom.pairs.pair import generate_pair
from stainbridge.phantom.staining.library import STAINS
from stainbridge.registration.config import (
    AffineConfig,
    DeformableConfig,
    LearnedAffineConfig,
    RegisterConfig,
    SearchConfig,
)
from stainbridge.registration.sections.section import Section, read_section
from stainbridge.registration.stages.affine import rank_hypotheses, refine_hypotheses
from stainbridge.registration.stages.deformable import deform
from stainbridge.registration.stages.hypothesis import Hypothesis
from stainbridge.registration.stages.learned_affine import LearnedAffine, LearnedAffineStage
from stainbridge.registration.stages.search import search_placements
from stainbridge.slides.memory import ArraySlide
from stainbridge.slides.slide import Slide

#: The stages are those of this preset.
PRESET = RegisterConfig.preset("fast")
SEARCH = PRESET.find_stage(SearchConfig) or SearchConfig()
AFFINE = PRESET.find_stage(AffineConfig) or AffineConfig()
DEFORMABLE = PRESET.find_stage(DeformableConfig) or DeformableConfig()
#: Seed of the first generated pair: training draws smaller ones.
FIRST_SEED = 2**31


@dataclass(frozen=True, eq=False)
class PreparedPair:
    """A pair, and what the stages look at."""

    pair: LandmarkPair
    fixed: Section
    moving: Section
    candidates: list[Hypothesis]
    """The placements that the search found, best first."""

    def make_affine(self, hypothesis: Hypothesis) -> Affine:
        return Affine(hypothesis.matrix, self.pair.fixed.frame.space, self.pair.moving.frame.space)


Method = Callable[[PreparedPair], Transform | None]


def list_methods(network: LearnedAffine) -> dict[str, Method]:
    """Return what is compared.

    "affine-net" starts from the search's candidates, as stainbridge's iterative method does.
    """
    full = LearnedAffineStage(LearnedAffineConfig(), network)
    one_pass = LearnedAffineStage(LearnedAffineConfig(passes=1, finer=0), network)
    own_angles = LearnedAffineStage(LearnedAffineConfig(angles=48), network)
    iterative = load_intensity(IntensitySettings(deformable=False))

    def improve(stage: LearnedAffineStage, p: PreparedPair) -> Transform:
        return p.make_affine(stage.improve(p.fixed, p.moving, p.candidates)[0])

    def search_with_network(p: PreparedPair) -> Transform:
        flips = (False, True) if PRESET.allow_flip else (False,)
        hypotheses = own_angles.improve_turns(p.fixed, p.moving, flips, PRESET.max_rotation_deg)
        return p.make_affine(hypotheses[0])

    def optimise(p: PreparedPair) -> Transform:
        return p.make_affine(refine_hypotheses(p.fixed, p.moving, list(p.candidates), AFFINE)[0])

    return {
        "initial": lambda p: place_pair(p.pair),
        "preprocessed (search)": lambda p: p.make_affine(p.candidates[0]),
        "affine-net, one pass": lambda p: improve(one_pass, p),
        "affine-net": lambda p: improve(full, p),
        "affine-net without a search": search_with_network,
        "SIFT": lambda p: align_by_sift(p.pair.fixed, p.pair.moving).transform,
        "ORB": lambda p: align_by_orb(p.pair.fixed, p.pair.moving).transform,
        "iterative (SimpleITK)": lambda p: iterative(p.pair.fixed, p.pair.moving).transform,
        "iterative (stainbridge)": optimise,
    }


def draw_cases(every: int, generated: int, seed: int) -> Iterator[tuple[str, LandmarkPair]]:
    if "STAINBRIDGE_DATA" in os.environ:
        for pair in open_pairs(SECTIONS, both_directions=True):
            yield "real, as given", pair
        for pair in open_pairs(SECTIONS, both_directions=False) if every else ():
            for start in draw_hard_starts(pair, seed, every):
                yield "real, hard starts", start
    for number in range(generated):
        yield "generated", draw_generated_pair(FIRST_SEED + number)


def draw_generated_pair(seed: int) -> LandmarkPair:
    """Generate a `real` pair of any organ, stains, angle and flip, and render it into memory."""
    rng = np.random.default_rng(seed)
    fixed_stain, moving_stain = rng.choice(list(STAINS), 2)
    generated = generate_pair(
        seed=seed,
        size_px=1024,
        mpp=float(np.exp(rng.uniform(*np.log((1.5, 6.0))))),
        fixed_stain=str(fixed_stain),
        moving_stain=str(moving_stain),
        organ="any",
        rotation_deg=float(rng.uniform(-180, 180)),
        flip=bool(rng.integers(2)),
    )
    return LandmarkPair(
        f"{seed} {fixed_stain}/{moving_stain}",
        render_slide(generated.fixed),
        render_slide(generated.moving),
        generated.fixed_landmarks.points_px,
        generated.moving_landmarks.points_px,
    )


def render_slide(slide: Slide) -> ArraySlide:
    return ArraySlide(
        slide.read(slide.frame).pixels, slide.frame.mpp[0], slide.frame.label, slide.stain
    )


def prepare_pair(pair: LandmarkPair) -> tuple[PreparedPair, float] | None:
    """Return the pair after the search, and its CPU seconds; None where there is no tissue."""
    fixed = read_section(pair.fixed, PRESET.working_px)
    moving = read_section(pair.moving, PRESET.working_px)
    if fixed is None or moving is None:
        return None
    start = time.process_time()
    hypotheses = search_placements(fixed, moving, SEARCH)
    candidates = rank_hypotheses(fixed, moving, hypotheses, SEARCH.hypotheses)
    return PreparedPair(pair, fixed, moving, candidates), time.process_time() - start


def place_pair(pair: LandmarkPair) -> Affine:
    return place_unregistered(pair.fixed.frame.space, pair.moving.frame.space)


def converges(p: PreparedPair, affine: Transform) -> bool:
    """Return whether the deformable stage succeeds from here."""
    assert isinstance(affine, Affine)
    field = deform(p.fixed, p.moving, affine, DEFORMABLE).field
    return bool(np.median(relative_errors(p.pair, Chain((field, affine)))) < SUCCESS_RTRE)


def score_method(name: str, method: Method, p: PreparedPair, search_s: float) -> dict[str, object]:
    start = time.process_time()
    note = ""
    try:
        transform = method(p)
    except RuntimeError as error:  # SimpleITK's, where pictures do not overlap
        transform = None
        note = str(error).splitlines()[0]
    seconds = search_s if name.startswith("preprocessed") else time.process_time() - start
    errors = relative_errors(p.pair, transform or place_pair(p.pair))
    success = transform is not None and name != "initial" and converges(p, transform)
    return {
        "median": float(np.median(errors)),
        "mean": float(errors.mean()),
        "max": float(errors.max()),
        "ms": 1000 * seconds,
        "ok": success,
        "note": note,
    }


def forward_ms(
    network: LearnedAffine, sides: tuple[int, ...] = (128, 256, 1024), passes: int = 50
) -> str:
    """Return a line for each side in pixels: median ms of one pair, and of six at once."""
    lines = []
    for side in sides:
        times = []
        for count in (1, 6):
            fixed, moving = (
                torch.rand(n, 1, side, side, device=network.device) for n in (1, count)
            )
            pass_ms = []
            for _ in range(passes):
                start = time.perf_counter()
                with torch.inference_mode():
                    network.network(fixed, moving).cpu()  # waits for the device
                pass_ms.append(1000 * (time.perf_counter() - start))
            times.append(f"{np.median(pass_ms[passes // 5 :]):.1f} ms")
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
    methods = list_methods(LearnedAffine.load(find_weights(options.weights)))
    if options.methods:
        methods = {name: methods[name] for name in options.methods.split(",")}
    rows = (
        [json.loads(line) for line in options.out.read_text().splitlines()]
        if options.out.exists()
        else []
    )
    done = {(row["case"], row["method"]) for row in rows}
    for group, pair in draw_cases(options.every, options.generated, seed=0):
        case = f"{group}: {pair.name}"
        missing = [name for name in methods if (case, name) not in done]
        prepared = prepare_pair(pair) if missing else None
        if prepared is None:
            continue
        methods[missing[0]](prepared[0])  # warms the caches of shrunk sections, which all share
        for name in missing:
            row = {"set": group, "case": case, "method": name}
            rows.append(row | score_method(name, methods[name], *prepared))
            with options.out.open("a") as file:
                file.write(json.dumps(rows[-1]) + "\n")
    print(table(rows))


if __name__ == "__main__":
    main()
