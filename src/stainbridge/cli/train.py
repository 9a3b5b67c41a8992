"""`stainbridge train`: registration networks trained on generated tissue or on pairs of slides."""

from __future__ import annotations

from typing import Annotated

import typer

from stainbridge.cli.options import SeedOption
from stainbridge.cli.train_sar import sar
from stainbridge.cli.train_sbr import sbr
from stainbridge.cli.train_sharpen import sharpen
from stainbridge.cli.train_translate import translate
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
from stainbridge.jobs.train_affine import TrainAffineJob
from stainbridge.jobs.train_deformable import DeformableNetwork, TrainDeformableJob

app = typer.Typer(
    no_args_is_help=True, help="Train networks: on generated tissue or on your own slides."
)

DataOption = Annotated[
    str | None,
    typer.Option(
        "--data",
        help="A data set: a folder or table of pairs.  [default: generated]",
        metavar="DATA",
    ),
]


@app.command("affine")
def affine(
    out: OutOption,
    data: DataOption = None,
    preset: PresetOption = None,
    config: ConfigOption = None,
    steps: StepsOption = None,
    resume: ResumeOption = False,
    device: DeviceOption = None,
    devices: DevicesOption = None,
    workers: WorkersOption = None,
    seed: SeedOption = None,
) -> None:
    """Train the affine network, which aligns two sections roughly, in one pass.

    RUN receives config.yaml, metrics.csv, last.safetensors (to resume), best.safetensors (to use),
    pictures and TensorBoard's log. Ctrl-C ends the step and saves; --resume continues.

    \b
    Example:
        stainbridge train affine --data generated --preset small --steps 20 --out affine-run
        stainbridge train affine --out affine-run --resume --steps 40
    """
    run_training(
        TrainAffineJob(
            out=out,
            data=data,
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


@app.command("deformable")
def deformable(
    out: OutOption,
    network: Annotated[
        DeformableNetwork | None,
        typer.Option("--network", help="Which network.  [default: multiscale-fcn]"),
    ] = None,
    data: DataOption = None,
    preset: PresetOption = None,
    config: ConfigOption = None,
    steps: StepsOption = None,
    resume: ResumeOption = False,
    device: DeviceOption = None,
    devices: DevicesOption = None,
    workers: WorkersOption = None,
    seed: SeedOption = None,
) -> None:
    """Train a network that deforms one section onto another, roughly aligned one.

    RUN receives what `train affine` writes.

    \b
    Example:
        stainbridge train deformable --network unet-svf --preset small --steps 20 --out unet-run
        stainbridge train deformable --network multiscale-fcn --data pairs.csv --preset paper \\
            --out fcn-run
    """
    run_training(
        TrainDeformableJob(
            out=out,
            network=network,
            data=data,
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


app.command("sar")(sar)
app.command("sbr")(sbr)
app.command("translate")(translate)
app.command("sharpen")(sharpen)
