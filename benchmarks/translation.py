"""All objectives of `train translate` under one budget, and pyramid pix2pix's scales.

    python benchmarks/translation.py --out FOLDER                 train what is missing, measure, print the tables
    python benchmarks/translation.py --out FOLDER --steps 2000    longer; runs that are there are gone on with
    python benchmarks/translation.py --out FOLDER --report --grid docs/images/translation.jpg

Generated tiles are H&E and HER2 of neighbouring sections, misaligned by about a pixel, in folders
laid out as BCI's. Every run sees the same number of them. Weights are averaged, chosen on `val` and
measured on `test`. With STAINBRIDGE_DATA the runs of `real_jobs` learn from the real tiles there
for a quarter of the steps, those of H&E and IHC from the weights of the run on generated ones, and
are measured on the real ones held out. A run that was stopped is gone on with.
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
from stainbridge.translation.objectives.terms import Translator
from stainbridge.translation.training.augment import scaled, unscaled, with_channels
from stainbridge.translation.training.picture_stream import read_picture
from stainbridge.translation.training.config import GeneratedTissueConfig

TILES, TILE_PX, MPP = "tiles", 128, 1.0
#: Split, seed, tiles.
SPLITS = (("train", 0, 1200), ("val", 1, 32), ("test", 2, 128))
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
SHOWN, SHOWN_PX = 5, 256
PAIRED: tuple[str, ...] = ("pyramid-pix2pix", "pix2pix", "pix2pix-unet", "pix2pixhd")
SLOW: tuple[str, ...] = ("cyclegan", "supervised-patchnce", "cyclegan-perceptual")
REAL_SHARE = 4  # of the steps on generated tiles


@dataclass(frozen=True)
class Job:
    """A run: `name` of its folder, the objective, settings over the preset's, and what it learns
    from.
    """

    name: str
    objective: str
    settings: dict[str, Any]
    data: Path
    stains: tuple[str, str] = ("HE", "IHC")
    init: str = ""


def generated_jobs(data: Path) -> list[Job]:
    """The paired ones first: they take the least time."""

    def scales(count: int) -> dict[str, Any]:
        return {"translation": {"objective": {"scales": [25.0] * count}}}

    return [
        *(Job(name, name, {}, data) for name in PAIRED),
        Job("pyramid-S1-S2", "pyramid-pix2pix", scales(2), data),
        Job("pyramid-S1-S2-S3", "pyramid-pix2pix", scales(3), data),
        *(Job(name, name, {}, data) for name in SLOW),
        Job("pyramid-float32", "pyramid-pix2pix", {"train": {"precision": "32"}}, data),
    ]


def real_jobs(data: Path) -> list[Job]:
    """Every objective on every set: tiles of H&E and IHC, of autofluorescence and H&E, and panels
    of IHC and DAPI.
    """
    tiles, dark, panels = (
        data / name for name in ("tiles_he_ihc", "tiles_autofluorescence_he", "ihc_multiplex")
    )
    names = (*PAIRED, *SLOW)
    return [
        *(Job(f"he-ihc-{name}", name, {}, tiles, init=name) for name in names),
        Job("he-ihc-pyramid-from-scratch", "pyramid-pix2pix", {}, tiles),
        *(Job(f"dark-{name}", name, {}, dark, ("AF", "HE")) for name in names),
        *(Job(f"panels-{name}", name, {}, panels, ("IHC", "DAPI")) for name in names),
    ]


def write_tiles(folder: Path) -> None:
    """Generated tiles as pictures; those there are stay."""
    for split, seed, count in SPLITS:
        stream = GeneratedTiles(GeneratedTissueConfig(), "HE", "HER2", TILE_PX, MPP, seed, paired=True)
        for number in range(count):
            paths = [folder / stain / split / f"{number:05d}.png" for stain in ("HE", "IHC")]
            if all(path.exists() for path in paths):
                continue
            for path, picture in zip(paths, stream[number][:2], strict=True):
                path.parent.mkdir(parents=True, exist_ok=True)
                partial = path.with_suffix(".partial.png")
                PIL.Image.fromarray(np.moveaxis(unscaled(picture), 0, -1)).save(partial)
                partial.rename(path)


def train(job: Job, runs: Path, steps: int) -> None:
    """Begin or go on with a run, in a process of its own."""
    run = runs / job.name
    command = [
        sys.executable,
        "-m",
        "stainbridge",
        "train",
        "translate",
        "--out",
        str(run),
        "--steps",
        str(steps),
    ]
    if (run / "last.safetensors").exists():
        if read_weights(run / "last.safetensors").header["checkpoint"]["step"] >= steps:
            return
        command += ["--resume"]
    else:
        settings = runs / f"{job.name}.yaml"
        merged = {
            **SETTINGS,
            **job.settings,
            "train": {**SETTINGS["train"], **job.settings.get("train", {})},
        }
        settings.write_text(yaml.safe_dump(merged))
        command += [
            "--objective",
            job.objective,
            "--data",
            str(job.data),
            "--config",
            str(settings),
        ]
        command += ["--source", job.stains[0], "--target", job.stains[1]]
        command += ["--init", str(runs / job.init)] if job.init else []
    print(f"{job.name} ...", flush=True)
    subprocess.run(command, check=True)


def measured(job: Job, runs: Path) -> dict[str, float] | None:
    """Means over the held-out pairs of what the best weights make of them; None before a run is
    first saved.
    """
    run = runs / job.name
    if not (run / "last.safetensors").exists():
        return None
    weights = read_weights(run / "best.safetensors")
    steps = {"steps": float(read_weights(run / "last.safetensors").header["checkpoint"]["step"])}
    kept = run / "scores.json"
    if kept.exists():
        scores: dict[str, float] = json.loads(kept.read_text())
        if scores["step"] == weights.header["step"]:
            return {**scores, **steps}
    scores = {
        **mean_scores(read_model(run).generator, held_pairs(job)),
        "step": float(weights.header["step"]),
    }
    kept.write_text(json.dumps(scores))
    return {**scores, **steps}


Pair = tuple[np.ndarray, np.ndarray]


def held_pairs(job: Job) -> list[Pair]:
    if job.data.name == TILES:
        names = sorted(path.name for path in (job.data / "HE" / "test").iterdir())
        files = [
            (job.data / "HE" / "test" / name, job.data / "IHC" / "test" / name) for name in names
        ]
    else:
        held = read_pictures(str(job.data), job.stains, paired=True).held
        files = list(zip(held.sources, held.targets, strict=True))
    return [tuple(with_channels(read_picture(path), 3, path) for path in pair) for pair in files]  # type: ignore[misc]


def mean_scores(network: Translator, pairs: list[Pair]) -> dict[str, float]:
    """Means over the held-out pairs."""
    rows = [_scores(network, scaled(source), scaled(target)) for source, target in pairs]
    return {name: float(np.nanmean([row[name] for row in rows])) for name in rows[0]}


def mean_colour(pairs: list[Pair]) -> Translator:
    """The held-out targets' mean colour, whatever is asked: what knowing nothing of the source
    gives.
    """
    mean = torch.stack([scaled(target).mean((1, 2)) for _, target in pairs]).mean(0)
    return lambda source: mean.view(1, -1, 1, 1).expand_as(source)


@torch.no_grad()
def _scores(network: Translator, source: Tensor, target: Tensor) -> dict[str, float]:
    made, real = network(source[None]), target[None]
    scores = picture_distances(made, real)
    scores["ssim_uniform7"] = float(ssim(made, real, window="uniform7", span=2.0))
    scores["dab_dice"] = score_dab(unscaled(made)[0], unscaled(real)[0]).positive_dice
    return scores


def table(jobs: Sequence[Job], runs: Path) -> str:
    """Of runs on one set of tiles."""
    columns = ("psnr_db", "ssim_gaussian11", "ssim_uniform7", "l1", "coarse_l1", "dab_dice")
    lines = [
        "| run | steps | PSNR dB | SSIM 11 | SSIM 7 | L1 (of 2) | at 8 px | DAB Dice |",
        "| --- " * 8 + "|",
    ]
    rows: dict[str, dict[str, float] | None] = {}
    pairs = held_pairs(jobs[0])
    rows["source as it is"] = mean_scores(lambda source: source, pairs)
    rows["mean colour of the target"] = mean_scores(mean_colour(pairs), pairs)
    rows |= {job.name: measured(job, runs) for job in jobs}
    for label, scores in rows.items():
        if scores is not None:
            numbers = (f"{scores[name]:.{2 if name == 'psnr_db' else 3}f}" for name in columns)
            lines.append(f"| {label} | {scores.get('steps', 0):.0f} | {' | '.join(numbers)} |")
    return "\n".join(lines)


@torch.no_grad()
def grid(jobs: Sequence[Job], runs: Path, path: Path) -> None:
    """A row a held-out tile: source, what each run makes of it in the order of the table, target."""
    ready = [job for job in jobs if (runs / job.name / "last.safetensors").exists()]
    pairs = held_pairs(jobs[0])
    shown = pairs[:: max(1, len(pairs) // SHOWN)][:SHOWN]
    networks = [read_model(runs / job.name).generator for job in ready]
    rows = []
    for pair in shown:
        source, target = (picture[:, :SHOWN_PX, :SHOWN_PX] for picture in pair)
        made = [unscaled(network(scaled(source)[None]))[0] for network in networks]
        rows.append(np.concatenate([source, *made, target], axis=2))
    PIL.Image.fromarray(np.moveaxis(np.concatenate(rows, axis=1), 0, -1)).save(path, quality=88)
    print(f"{path}: source, {', '.join(job.name for job in ready)}, target")


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
    arguments = parser.parse_args()
    tiles, runs = arguments.out / TILES, arguments.out / "runs"
    runs.mkdir(parents=True, exist_ok=True)
    data = os.environ.get("STAINBRIDGE_DATA")
    made, real = generated_jobs(tiles), real_jobs(Path(data)) if data else []
    if not arguments.report:
        write_tiles(tiles)
        for job in made + real:
            if not arguments.only or job.name in arguments.only:
                train(job, runs, arguments.steps if job in made else arguments.steps // REAL_SHARE)
    for folder in dict.fromkeys(job.data for job in made + real):
        jobs = [job for job in made + real if job.data == folder]
        print(f"\n{folder.name}\n\n{table(jobs, runs)}")
        if arguments.grid:
            path = arguments.grid
            grid(jobs, runs, path if jobs == made else path.with_stem(f"{path.stem}-{folder.name}"))


if __name__ == "__main__":
    main()
