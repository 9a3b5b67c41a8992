"""`stainbridge train sharpen`: finer pixels, learned from down-sampled tiles."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stainbridge.cli.options import SeedOption
from stainbridge.cli.training_options import (
    ConfigOption,
    DeviceOption,
    DevicesOption,
    OutOption,
    PresetOption,
    ResumeOption,
    StepsOption,
    WorkersOption,
    run_training,
)
from stainbridge.jobs.train_sharpen import SharpenFactor, TrainSharpenJob


def sharpen(
    out: OutOption,
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            help="A slide, or a folder of slides or tiles.  [default: generated]",
            metavar="DATA",
        ),
    ] = None,
    factor: Annotated[
        SharpenFactor | None,
        typer.Option("--factor", help="Pixels along a side that are made of one.  [default: 2]"),
    ] = None,
    mpp: Annotated[
        float | None,
        typer.Option(
            "--mpp", help="Pixel size to learn to make, in µm.  [default: the slides' own]"
        ),
    ] = None,
    perceptual: Annotated[
        Path | None,
        typer.Option(
            "--perceptual",
            help="Weights of VGG-16; without them a seeded network.",
            metavar="VGG16",
        ),
    ] = None,
    preset: PresetOption = None,
    config: ConfigOption = None,
    steps: StepsOption = None,
    resume: ResumeOption = False,
    device: DeviceOption = None,
    devices: DevicesOption = None,
    workers: WorkersOption = None,
    seed: SeedOption = None,
) -> None:
    """Train ESRGAN to sharpen what translate and warp write.

    It learns to restore tiles from down-sampled ones. RUN receives what `train affine` writes.

    \b
    Example:
        stainbridge train sharpen --data generated --steps 20 --out sharpen-run
        stainbridge train sharpen --data slides --factor 4 --preset paper \\
            --perceptual vgg16-397923af.pth --out x4-run
    """
    run_training(
        TrainSharpenJob(
            out=out,
            data=data,
            factor=factor,
            mpp=mpp,
            perceptual=perceptual,
            preset=preset,
            config=config,
            steps=steps,
            resume=resume,
            device=device,
            devices=devices,
            workers=workers,
            seed=seed,
        )
    )
