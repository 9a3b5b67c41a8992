"""`stainbridge train sar`: registration that learns from masks and outlines what it registers."""

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
from stainbridge.jobs.train_deformable import DeformableNetwork
from stainbridge.jobs.train_sar import TrainSarJob


def sar(
    out: OutOption,
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            help="A folder with images/, and masks/ or labels/ of the same file names."
            "  [default: generated]",
            metavar="DIR",
        ),
    ] = None,
    network: Annotated[
        DeformableNetwork | None,
        typer.Option("--network", help="Another network on the same pairs.  [default: SAR's]"),
    ] = None,
    no_segmentation: Annotated[
        bool,
        typer.Option("--no-segmentation", help="Train without masks and without their Dice."),
    ] = False,
    split: Annotated[
        Path | None,
        typer.Option(
            "--split",
            help="Pictures by part: train, validation, test.  [default: one in five validates]",
            metavar="FILE.csv",
        ),
    ] = None,
    perceptual_weights: Annotated[
        Path | None,
        typer.Option(
            "--perceptual-weights",
            help="VGG-16's ImageNet weights: torchvision's vgg16-397923af.pth or safetensors."
            "  [default: a seeded, untrained network stands in, and the log says so]",
            metavar="FILE",
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
    """Train segmentation-augmented registration on pictures of one kind with masks.

    Pairs are made by deforming the pictures. `register --sar RUN` registers with the result, also
    pictures of another kind. RUN receives what `train affine` writes.

    \b
    Example:
        stainbridge train sar --data generated --steps 20 --out sar-run
        stainbridge train sar --data xrays --no-segmentation --out sar-plain-run
        stainbridge train sar --data xrays --network dirnet --out dirnet-run
    """
    run_training(
        TrainSarJob(
            out=out,
            data=data,
            network=network,
            segmentation=not no_segmentation,
            split=split,
            perceptual_weights=perceptual_weights,
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
