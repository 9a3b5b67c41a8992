"""`stainbridge train sbr`: registration by synthesis, learned from a stack of paired slices."""

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
from stainbridge.jobs.train_sbr import SbrVariant, TrainSbrJob


def sbr(
    out: OutOption,
    data: Annotated[
        str | None,
        typer.Option(
            "--data", help="A folder of paired slices.  [default: generated]", metavar="SLICES"
        ),
    ] = None,
    variant: Annotated[
        SbrVariant | None,
        typer.Option("--variant", help="What is trained.  [default: sbr]"),
    ] = None,
    registration: Annotated[
        Path | None,
        typer.Option(
            "--registration",
            help="A run of the variant registration.  [default: trained first]",
            metavar="RUN",
        ),
    ] = None,
    split: Annotated[
        Path | None,
        typer.Option(
            "--split",
            help="Slices by part: train, validation, test.  [default: all are trained on]",
            metavar="FILE.csv",
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
    """Train Synth-by-Reg: translate sections so that a trained network registers them well.

    The variant registration is that network, of the fixed modality alone. sbr, sbr-n, sbr-g and
    cgan train through it. nmi and nmi-w register the two modalities directly. RUN receives what
    `train affine` writes.

    \b
    Example:
        stainbridge train sbr --variant registration --steps 20 --out r-run
        stainbridge train sbr --registration r-run --steps 20 --out sbr-run
    """
    run_training(
        TrainSbrJob(
            out=out,
            data=data,
            variant=variant,
            registration=registration,
            split=split,
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
