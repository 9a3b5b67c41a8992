"""Compare all objectives of `train translate` under one budget, and pyramid pix2pix's scales.

    python benchmarks/translation.py --out FOLDER                 # train, measure, print tables
    python benchmarks/translation.py --out FOLDER --steps 2000    # resume existing runs for longer
    python benchmarks/translation.py --out FOLDER --report --grid docs/images/translation.jpg
    python benchmarks/translation.py --out FOLDER --perceptual vgg16-397923af.pth \\
        --only cyclegan-perceptual                           # compare features of this VGG-16

Generated tiles are H&E and HER2 of neighbouring sections, misaligned by about a pixel, in folders
like BCI's. Every run sees the same number of them. Weights are averaged, chosen on `val` and
measured on `test`. With STAINBRIDGE_DATA the runs of `list_real_runs` train on the real tiles there
for a quarter of the steps, those of H&E and IHC from the weights of the run on generated ones, and
are measured on real validation tiles. A run that was stopped is resumed.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import torch
import yaml
from torch import Tensor

from stainbridge.datasets.generated_tiles import GeneratedTiles
from stainbridge.datasets.tile_pictures import read_pictures
from stainbridge.learn.weights import read_weights
from stainbridge.metrics.stains import score_dab
from stainbridge.similarity.ssim import ssim
from stainbridge.translation.inference.model import read_model
from stainbridge.translation.objectives.comparison import picture_distances
from stainbridge.translation.objectives.config import TranslationConfig
from stainbridge.translation.objectives.pixels import (
    match_channels,
    pixels_to_tensor,
    tensor_to_pixels,
)
from stainbridge.translation.objectives.terms import Translator
from stainbridge.translation.training.config import GeneratedTissueConfig
from stainbridge.translation.training.picture_files import read_picture

#: The folder of generated tiles.
TILES = "tiles"
#: Side of a tile in pixels.
TILE_PX = 128
#: Pixel size in µm.
MPP = 1.0
#: Split, seed, number of tiles.
SPLITS = (("train", 0, 1200), ("val", 1, 32), ("test", 2, 128))
#: Training settings of every run.
SETTINGS = {
    "train": {
        "average": 0.99,
        "validate_every": 100,
        "save_every": 50,
        "picture_every": 100,
        "log_every": 50,
        "workers": 0,
    },
}
#: Tiles in a grid, and their side in pixels at most.
SHOWN = 5
SHOWN_PX = 256
PAIRED: tuple[str, ...] = ("pyramid-pix2pix", "pix2pix", "pix2pix-unet", "pix2pixhd")
SLOW: tuple[str, ...] = ("cyclegan", "supervised-patchnce", "cyclegan-perceptual", "reg-gan")
#: Runs on real tiles take one in this many of the steps on generated ones.
REAL_STEP_DIVISOR = 4


@dataclass(frozen=True)
class TrainingRun:
    """A run: the name of its folder, the objective, its settings, and its data."""

    name: str
    objective: str
    settings: dict[str, Any]
    data: Path
    stains: tuple[str, str] = ("HE", "IHC")
    init: str = ""


def list_generated_runs(data: Path) -> list[TrainingRun]:
    """List the runs on generated tiles, the paired objectives first: they are the fastest."""

    def scales(count: int) -> dict[str, Any]:
        return {"translation": {"objective": {"scales": [25.0] * count}}}

    return [
        *(TrainingRun(name, name, {}, data) for name in PAIRED),
        TrainingRun("pyramid-S1-S2", "pyramid-pix2pix", scales(2), data),
        TrainingRun("pyramid-S1-S2-S3", "pyramid-pix2pix", scales(3), data),
        *(TrainingRun(name, name, {}, data) for name in SLOW),
        TrainingRun("pyramid-float32", "pyramid-pix2pix", {"train": {"precision": "32"}}, data),
    ]


def list_real_runs(data: Path) -> list[TrainingRun]:
    """List every objective on every set of real tiles.

    The sets are H&E and IHC, autofluorescence and H&E, and panels of IHC and DAPI.
    """
    tiles, dark, panels = (
        data / name for name in ("tiles_he_ihc", "tiles_autofluorescence_he", "ihc_multiplex")
    )
    names = (*PAIRED, *SLOW)
    return [
        *(TrainingRun(f"he-ihc-{name}", name, {}, tiles, init=name) for name in names),
        TrainingRun("he-ihc-pyramid-from-scratch", "pyramid-pix2pix", {}, tiles),
        *(TrainingRun(f"dark-{name}", name, {}, dark, ("AF", "HE")) for name in names),
        *(TrainingRun(f"panels-{name}", name, {}, panels, ("IHC", "DAPI")) for name in names),
    ]


def write_tiles(folder: Path) -> None:
    """Write generated tiles as pictures; existing ones stay."""
    for split, seed, count in SPLITS:
        stream = GeneratedTiles(
            GeneratedTissueConfig(), "HE", "HER2", TILE_PX, MPP, seed, paired=True
        )
        for number in range(count):
            paths = [folder / stain / split / f"{number:05d}.png" for stain in ("HE", "IHC")]
            if all(path.exists() for path in paths):
                continue
            for path, picture in zip(paths, stream[number][:2], strict=True):
                path.parent.mkdir(parents=True, exist_ok=True)
                partial = path.with_suffix(".partial.png")
                PIL.Image.fromarray(np.moveaxis(tensor_to_pixels(picture), 0, -1)).save(partial)
                partial.rename(path)


def train(run: TrainingRun, runs: Path, steps: int, perceptual: Path | None = None) -> None:
    """Start or resume a run, in a process of its own.

    `perceptual` is a file of VGG-16's weights, for objectives that compare its features.
    """
    folder = runs / run.name
    command = [
        sys.executable,
        "-m",
        "stainbridge",
        "train",
        "translate",
        "--out",
        str(folder),
        "--steps",
        str(steps),
    ]
    if (folder / "last.safetensors").exists():
        if read_weights(folder / "last.safetensors").header["checkpoint"]["step"] >= steps:
            return
        command += ["--resume"]
    else:
        settings = runs / f"{run.name}.yaml"
        merged = {
            **SETTINGS,
            **run.settings,
            "train": {**SETTINGS["train"], **run.settings.get("train", {})},
        }
        settings.write_text(yaml.safe_dump(merged))
        command += [
            "--objective",
            run.objective,
            "--data",
            str(run.data),
            "--config",
            str(settings),
        ]
        command += ["--source", run.stains[0], "--target", run.stains[1]]
        command += ["--init", str(runs / run.init)] if run.init else []
        command += _perceptual_option(run, perceptual)
    print(f"{run.name} ...", flush=True)
    subprocess.run(command, check=True)


def _perceptual_option(run: TrainingRun, weights: Path | None) -> list[str]:
    if (
        weights is None
        or TranslationConfig.preset(run.objective).objective.perceptual_network is None
    ):
        return []
    return ["--perceptual", str(weights)]


def measure(run: TrainingRun, runs: Path) -> dict[str, float] | None:
    """Return mean scores of the best weights on held-out tiles; None before the first save."""
    folder = runs / run.name
    if not (folder / "last.safetensors").exists():
        return None
    weights = read_weights(folder / "best.safetensors")
    steps = {"steps": float(read_weights(folder / "last.safetensors").header["checkpoint"]["step"])}
    cache = folder / "scores.json"
    if cache.exists():
        scores: dict[str, float] = json.loads(cache.read_text())
        if scores["step"] == weights.header["step"]:
            return {**scores, **steps}
    scores = {
        **mean_scores(read_model(folder).generator, read_held_out_pairs(run)),
        "step": float(weights.header["step"]),
    }
    cache.write_text(json.dumps(scores))
    return {**scores, **steps}


#: Pixels of a tile in both stains.
PixelPair = tuple[np.ndarray, np.ndarray]


def read_held_out_pairs(run: TrainingRun) -> list[PixelPair]:
    if run.data.name == TILES:
        names = sorted(path.name for path in (run.data / "HE" / "test").iterdir())
        files = [
            (run.data / "HE" / "test" / name, run.data / "IHC" / "test" / name) for name in names
        ]
    else:
        held = read_pictures(str(run.data), run.stains, paired=True).validation
        files = list(zip(held.sources, held.targets, strict=True))
    return [
        (
            match_channels(read_picture(source), 3, source),
            match_channels(read_picture(target), 3, target),
        )
        for source, target in files
    ]


def mean_scores(network: Translator, pairs: list[PixelPair]) -> dict[str, float]:
    """Return mean scores over pairs."""
    rows = [
        _scores(network, pixels_to_tensor(source), pixels_to_tensor(target))
        for source, target in pairs
    ]
    return {name: float(np.nanmean([row[name] for row in rows])) for name in rows[0]}


def mean_colour(pairs: list[PixelPair]) -> Translator:
    """Return a translator that always gives the mean colour of the targets."""
    mean = torch.stack([pixels_to_tensor(target).mean((1, 2)) for _, target in pairs]).mean(0)
    return lambda source: mean.view(1, -1, 1, 1).expand_as(source)


@torch.no_grad()
def _scores(network: Translator, source: Tensor, target: Tensor) -> dict[str, float]:
    made = network(source[None])
    real = target[None]
    scores = picture_distances(made, real)
    scores["ssim_uniform7"] = float(ssim(made, real, window="uniform7", span=2.0))
    dab = score_dab(tensor_to_pixels(made)[0], tensor_to_pixels(real)[0])
    scores["dab_dice"] = dab.positive_dice
    return scores


def table(selected: Sequence[TrainingRun], runs: Path) -> str:
    """Return the table of runs on one set of tiles."""
    columns = ("psnr_db", "ssim_gaussian11", "ssim_uniform7", "l1", "coarse_l1", "dab_dice")
    lines = [
        "| run | steps | PSNR dB | SSIM 11 | SSIM 7 | L1 (of 2) | at 8 px | DAB Dice |",
        "| --- " * 8 + "|",
    ]
    rows: dict[str, dict[str, float] | None] = {}
    pairs = read_held_out_pairs(selected[0])
    rows["untranslated source"] = mean_scores(lambda source: source, pairs)
    rows["mean colour of the target"] = mean_scores(mean_colour(pairs), pairs)
    rows |= {run.name: measure(run, runs) for run in selected}
    for label, scores in rows.items():
        if scores is not None:
            numbers = (f"{scores[name]:.{2 if name == 'psnr_db' else 3}f}" for name in columns)
            lines.append(f"| {label} | {scores.get('steps', 0):.0f} | {' | '.join(numbers)} |")
    return "\n".join(lines)


@torch.no_grad()
def write_grid(selected: Sequence[TrainingRun], runs: Path, path: Path) -> None:
    """Write a row a held-out tile: source, its translations in table order, and target."""
    ready = [run for run in selected if (runs / run.name / "last.safetensors").exists()]
    pairs = read_held_out_pairs(selected[0])
    shown = pairs[:: max(1, len(pairs) // SHOWN)][:SHOWN]
    networks = [read_model(runs / run.name).generator for run in ready]
    rows = []
    for pair in shown:
        source, target = (picture[:, :SHOWN_PX, :SHOWN_PX] for picture in pair)
        translations = [
            tensor_to_pixels(network(pixels_to_tensor(source)[None]))[0] for network in networks
        ]
        rows.append(np.concatenate([source, *translations, target], axis=2))
    PIL.Image.fromarray(np.moveaxis(np.concatenate(rows, axis=1), 0, -1)).save(path, quality=88)
    print(f"{path}: source, {', '.join(run.name for run in ready)}, target")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, required=True, help="where tiles and runs are kept")
    parser.add_argument(
        "--steps", type=int, default=300, help="of runs on generated tiles; on real ones a quarter"
    )
    parser.add_argument("--report", action="store_true", help="train nothing")
    parser.add_argument(
        "--grid", type=Path, help="write picture grids there, FILE.jpg and FILE-SET.jpg"
    )
    parser.add_argument("--only", nargs="+", help="names of runs")
    parser.add_argument("--perceptual", type=Path, help="VGG-16's weights")
    arguments = parser.parse_args()
    tiles = arguments.out / TILES
    runs = arguments.out / "runs"
    runs.mkdir(parents=True, exist_ok=True)
    data = os.environ.get("STAINBRIDGE_DATA")
    on_generated = list_generated_runs(tiles)
    on_real = list_real_runs(Path(data)) if data else []
    if not arguments.report:
        write_tiles(tiles)
        for run in on_generated + on_real:
            divisor = 1 if run in on_generated else REAL_STEP_DIVISOR
            if not arguments.only or run.name in arguments.only:
                train(run, runs, arguments.steps // divisor, arguments.perceptual)
    for folder in dict.fromkeys(run.data for run in on_generated + on_real):
        selected = [run for run in on_generated + on_real if run.data == folder]
        print(f"\n{folder.name}\n\n{table(selected, runs)}")
        if arguments.grid:
            path = arguments.grid
            if selected != on_generated:
                path = path.with_stem(f"{path.stem}-{folder.name}")
            write_grid(selected, runs, path)


if __name__ == "__main__":
    main()
