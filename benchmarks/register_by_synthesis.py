"""Measure what register --translator rests on, and what it changes.

    python benchmarks/register_by_synthesis.py reads --out reads.jsonl
    python benchmarks/register_by_synthesis.py pairs --out pairs.jsonl
    python benchmarks/register_by_synthesis.py pairs --translators RUN --out pairs.jsonl
    python benchmarks/register_by_synthesis.py picture --out docs/images/register-by-synthesis.jpg
    python benchmarks/register_by_synthesis.py page --out docs/results/register-by-synthesis.md

`reads`: how a coarse read is best translated. Each is compared, on tissue, with what the network
makes at its own pixel size, averaged. `pairs`: landmark errors of generated H&E and PanCK sections
without and with a translation; with STAINBRIDGE_DATA, of the kidney too. Rows that are there
already are not made again. `picture`: what a registration by synthesis sees. `page`: the tables of
a page, from reads.jsonl and pairs.jsonl in the folder of the kept runs.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import PIL.Image

import stainbridge
from stainbridge.geometry.landmarks import read_points_csv
from stainbridge.imaging.colour import optical_density
from stainbridge.imaging.pictures import render_rgb
from stainbridge.joint.synthesis import SyntheticSlide, choose_apply_config, translate_pair
from stainbridge.learn.named_weights import find_weights
from stainbridge.registration.config import RegisterConfig
from stainbridge.registration.pipeline import register_slides
from stainbridge.slides.slide import Slide
from stainbridge.translation.inference.apply import translate_slide
from stainbridge.translation.inference.inference import translate_picture
from stainbridge.translation.inference.model import Model, read_model
from stainbridge.translation.objectives.pixels import pixels_to_tensor, tensor_to_pixels

ROOT = Path(__file__).parents[1]
RUNS = ROOT / "docs" / "results" / "register-by-synthesis"
PIPELINE = ROOT / "configs" / "cycganregnet.yaml"
SEEDS = (21, 22, 23)
RATIOS = (2, 4, 8, 16, 32)
#: A read is so many times as coarse as the ratio says: no ratio is left to the network.
BEYOND = 1.01
#: Side of the generated sections, in pixels of 1 µm.
SIDE_PX = 1280
#: Pixel size of the kidney's pictures, in µm.
KIDNEY_MPP = 5.0
#: Seed of the section in the picture.
PICTURE_SEED = 24
#: Side of each panel, in pixels; the detail is at 1 µm a pixel.
PANEL_PX = 420
#: Corner of the detail, in pixels.
DETAIL_XY = (900, 900)
#: White between panels, in pixels.
GAP_PX = 8
Row = dict[str, Any]
Planes = npt.NDArray[np.float32]


def measure_reads(model: Model, seed: int) -> Iterator[Row]:
    """Yield the errors of each way to translate a read, for each ratio of pixel sizes."""
    slide = stainbridge.generate_pair(seed=seed, size_px=2048, mpp=1.0, difficulty="real").fixed
    config = choose_apply_config(model, "cpu")
    network = translate_slide(slide, model, config)
    synthetic = SyntheticSlide(slide, model, config)
    assert not synthetic.is_small
    assert network.tissue is not None
    for ratio in RATIOS:
        frame = network.frame.at_mpp(BEYOND * ratio * network.frame.mpp[0])
        source = slide.read(frame).pixels
        weight = network.tissue.sample(frame)
        shown = translate_picture(lambda pixels: _run(model, pixels), model.period, source)
        ways = {
            "untranslated": source.astype(np.float32),
            "network on the coarse read": 255 + weight * (shown.astype(np.float32) - 255),
            "colour map": synthetic.read(frame).pixels.astype(np.float32),
        }
        exact = network.read(frame).pixels.astype(np.float32)
        for way, pixels in ways.items():
            yield {"seed": seed, "ratio": ratio, "way": way, **_compare(pixels, exact, weight)}


def _run(model: Model, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    return tensor_to_pixels(model.generator(pixels_to_tensor(pixels)[None])[0])


def _compare(pixels: Planes, exact: Planes, weight: Planes) -> Row:
    """Return the error in grey levels and the correlation of densities, on tissue."""
    tissue = weight > 0.9
    densities = [
        optical_density(np.rint(p).astype(np.uint8)).mean(0)[tissue] for p in (pixels, exact)
    ]
    error = float(np.sqrt(np.square(pixels - exact)[:, tissue].mean()))
    return {"rms": round(error, 2), "correlation": round(float(np.corrcoef(*densities)[0, 1]), 4)}


def measure_pair(
    name: str,
    fixed: Slide,
    moving: Slide,
    marks: tuple[Any, Any],
    translator: str,
    pipeline: str,
    seed: int,
) -> Row:
    """Return the landmark errors of one registration."""
    config = (
        RegisterConfig.from_yaml(PIPELINE)
        if pipeline == "cycganregnet"
        else RegisterConfig.preset(pipeline)
    )
    seen = fixed, moving
    if translator != "none":
        model = read_model(find_weights(translator))
        sampling = choose_apply_config(model, "cpu", seed)
        pair = translate_pair(fixed, moving, model, "fixed", sampling)
        seen = pair.fixed, pair.moving
    registration = register_slides(*seen, config.with_options(device="cpu", seed=seed))
    row = {"case": name, "translator": Path(translator).name, "pipeline": pipeline}
    row |= {"status": registration.status}
    if registration.status != "failed":
        scores = stainbridge.score_landmarks(registration, *marks)
        row |= {
            "before_px": round(scores.before.tre_px.median, 1),
            "px": round(scores.after.tre_px.median, 2),
            "rtre": round(scores.after.rtre.median, 5),
        }
    return row


def list_pairs() -> Iterator[tuple[str, Slide, Slide, tuple[Any, Any]]]:
    """Yield name, slides and landmarks of each case."""
    for seed in SEEDS:
        pair = stainbridge.generate_pair(
            seed=seed, size_px=SIDE_PX, mpp=1.0, moving_stain="PanCK", difficulty="real"
        )
        marks = pair.fixed_landmarks, pair.moving_landmarks
        yield f"generated {seed}", pair.fixed, pair.moving, marks
    folder = os.environ.get("STAINBRIDGE_DATA")
    if folder:
        stems = [f"Rat-Kidney_{stain}" for stain in ("HE", "PanCytokeratin")]
        kidney = Path(folder) / "rat_kidney"
        he, panck = (
            stainbridge.open_slide(kidney / "images" / f"{stem}.jpg", mpp=KIDNEY_MPP)
            for stem in stems
        )
        first, second = (read_points_csv(kidney / "landmarks" / f"{stem}.csv")[0] for stem in stems)
        yield "rat kidney", he, panck, (first, second)


def draw_picture(out: Path) -> None:
    """Draw H&E, as it is seen, and the PanCK section on it: all of it above, a detail below."""
    pair = stainbridge.generate_pair(
        seed=PICTURE_SEED, size_px=2048, mpp=1.0, moving_stain="PanCK", difficulty="real"
    )
    model = read_model(find_weights("he-panck"))
    seen = translate_pair(pair.fixed, pair.moving, model, "fixed")
    config = RegisterConfig.preset("fast").with_options(device="cpu")
    warped = register_slides(seen.fixed, seen.moving, config).warp_slide(pair.moving)
    frame = pair.fixed.frame
    views = (frame.fit(PANEL_PX), frame.crop(*DETAIL_XY, PANEL_PX, PANEL_PX))
    rows = []
    for view in views:
        panels = [render_rgb(slide.read(view)) for slide in (pair.fixed, seen.fixed, warped)]
        gap = np.full((PANEL_PX, GAP_PX, 3), 255, np.uint8)
        rows.append(np.concatenate([panels[0], gap, panels[1], gap, panels[2]], axis=1))
    gap = np.full((GAP_PX, rows[0].shape[1], 3), 255, np.uint8)
    PIL.Image.fromarray(np.concatenate([rows[0], gap, rows[1]])).save(out, quality=88)


def write_tables(page: Path, runs: Path) -> None:
    """Replace the tables between the marks of a page."""
    text = page.read_text(encoding="utf-8")
    tables = {
        "reads": tabulate_reads(read_rows(runs / "reads.jsonl")),
        "pairs": tabulate_pairs(read_rows(runs / "pairs.jsonl")),
    }
    for name, lines in tables.items():
        begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        before, rest = text.split(begin)
        after = rest.split(end)[1]
        text = "\n".join([f"{before}{begin}", *lines, f"{end}{after}"])
    page.write_text(text, encoding="utf-8")


def tabulate_reads(rows: list[Row]) -> list[str]:
    """Return a line for each ratio: means over sections."""
    ways = list(dict.fromkeys(row["way"] for row in rows))
    lines = [f"| ratio | {' | '.join(ways)} |", "| --- |" + " --- |" * len(ways)]
    for ratio in RATIOS:
        cells = [f"{ratio}"]
        for way in ways:
            chosen = [row for row in rows if (row["ratio"], row["way"]) == (ratio, way)]
            error = np.mean([row["rms"] for row in chosen])
            correlation = np.mean([row["correlation"] for row in chosen])
            cells.append(f"{error:.1f}, {correlation:.2f}")
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def tabulate_pairs(rows: list[Row]) -> list[str]:
    """Return a line for each case and pipeline: median landmark errors in pixels."""
    translators = list(dict.fromkeys(row["translator"] for row in rows))
    lines = [
        f"| case | pipeline | before | {' | '.join(translators)} |",
        "| --- | --- | --- |" + " --- |" * len(translators),
    ]
    errors = {(row["case"], row["pipeline"], row["translator"]): row for row in rows}
    for case, pipeline in sorted({(row["case"], row["pipeline"]) for row in rows}):
        chosen = [errors.get((case, pipeline, name), {}) for name in translators]
        cells = [f"{row['px']:.2f}" if "px" in row else row.get("status", "") for row in chosen]
        before = next(row["before_px"] for row in chosen if "before_px" in row)
        lines.append(f"| {' | '.join([case, pipeline, f'{before:.1f}', *cells])} |")
    return lines


def append(out: Path, row: Row) -> None:
    """Print a row and append it to the file."""
    print(json.dumps(row), flush=True)
    with out.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("reads", "pairs", "picture", "page"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--runs", type=Path, default=RUNS, help="of the page")
    parser.add_argument("--translators", nargs="+", default=["none", "he-panck"])
    parser.add_argument("--pipelines", nargs="+", default=["fast", "default", "cycganregnet"])
    parser.add_argument("--cases", default="", help="of pairs: those whose names begin so")
    parser.add_argument("--pair-seeds", nargs="+", type=int, default=[0], help="draw sampled tiles")
    parser.add_argument("--seeds", nargs="+", type=int, default=[3, 11], help="of reads")
    options = parser.parse_args()
    if options.what == "picture":
        draw_picture(options.out)
    elif options.what == "page":
        write_tables(options.out, options.runs)
    elif options.what == "reads":
        append_reads(options.out, options.seeds)
    else:
        for seed in options.pair_seeds:
            append_pairs(options.out, options.translators, options.pipelines, options.cases, seed)


def append_reads(out: Path, seeds: list[int]) -> None:
    """Append the rows of `reads` that are not there."""
    model = read_model(find_weights("he-panck"))
    done = {row["seed"] for row in read_rows(out)}
    for seed in seeds:
        if seed not in done:
            for row in measure_reads(model, seed):
                append(out, row)


def append_pairs(
    out: Path, translators: list[str], pipelines: list[str], cases: str, seed: int
) -> None:
    """Append the rows of `pairs` that are not there."""
    done = {(row["case"], row["translator"], row["pipeline"]) for row in read_rows(out)}
    for case, fixed, moving, marks in list_pairs():
        if not case.startswith(cases):
            continue
        name = f"{case}, seed {seed}" if seed else case
        for translator in translators:
            for pipeline in pipelines:
                if (name, Path(translator).name, pipeline) not in done:
                    row = measure_pair(name, fixed, moving, marks, translator, pipeline, seed)
                    append(out, row)


def read_rows(path: Path) -> list[Row]:
    """Return the rows of a file, none where there is no file."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


if __name__ == "__main__":
    main()
