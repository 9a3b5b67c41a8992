"""`stainbridge train translate`: from one stain to another."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

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
from stainbridge.jobs.train_translate import TrainTranslateJob
from stainbridge.translation.objectives.table import OBJECTIVES

if TYPE_CHECKING:
    Objective = str
else:
    Objective = Literal[tuple(OBJECTIVES)]

DataOption = Annotated[
    str | None,
    typer.Option(
        "--data",
        help="A folder of stainbridge pairs, or of other tiles"
        " (HE/train, IHC/train, HE/test, ...; trainA, trainB, ...; A, B),"
        " two folders A,B with a comma between, a manifest.csv of slides"
        " (fixed,moving[,transform]), or generated.  [default: generated]",
        metavar="DATA",
    ),
]
PerceptualOption = Annotated[
    Path | None,
    typer.Option(
        "--perceptual",
        help="VGG-16's ImageNet weights for cyclegan-perceptual: torchvision's"
        " vgg16-397923af.pth as it is, or safetensors of its features."
        " Without it a seeded, untrained network stands in, and log and model card say so.",
        metavar="FILE",
    ),
]


def translate(
    out: OutOption,
    objective: Annotated[
        Objective | None,
        typer.Option("--objective", help="What is learned.  [default: pyramid-pix2pix]"),
    ] = None,
    data: DataOption = None,
    preset: PresetOption = None,
    config: ConfigOption = None,
    source: Annotated[
        str | None, typer.Option("--source", help="The stain to start from.  [default: HE]")
    ] = None,
    target: Annotated[
        str | None,
        typer.Option("--target", help="The stain to make.  [default: IHC; generated: HER2]"),
    ] = None,
    mpp: Annotated[
        float | None, typer.Option("--mpp", help="Pixel size of the tiles in µm.")
    ] = None,
    reverse: Annotated[
        bool, typer.Option("--reverse", help="Exchange the stains: IHC to H&E.")
    ] = False,
    perceptual: PerceptualOption = None,
    average: Annotated[
        float | None,
        typer.Option("--ema", help="Keep the moving average of the weights, e.g. 0.999."),
    ] = None,
    init: Annotated[
        Path | None,
        typer.Option(
            "--init", help="Begin with the networks of another run, or of a name.", metavar="RUN"
        ),
    ] = None,
    max_residual: Annotated[
        float | None,
        typer.Option(
            "--max-residual",
            help="Leave out pairs of a set of `stainbridge pairs` whose estimated misalignment"
            " is larger.",
            metavar="PX",
        ),
    ] = None,
    weight_by_residual: Annotated[
        bool,
        typer.Option(
            "--weight-by-residual",
            help="Let pairs of such a set count less the larger their misalignment, where tiles"
            " are compared place by place.",
        ),
    ] = False,
    steps: StepsOption = None,
    resume: ResumeOption = False,
    device: DeviceOption = None,
    devices: DevicesOption = None,
    workers: WorkersOption = None,
    seed: SeedOption = None,
) -> None:
    """Train a translation between stains, from tiles, from slides or on generated tissue.

    cyclegan and cyclegan-perceptual take pictures that need not correspond; the others need pairs.
    reg-gan takes pairs that are not aligned: it learns to register them too.
    RUN receives what `train affine` writes, and model-card.md.

    \b
    Example:
        stainbridge train translate --objective pix2pix --data generated --steps 20 --out run
        stainbridge train translate --out run --resume --steps 40
        stainbridge train translate --data SET --max-residual 2 --out filtered-run
    """
    run_training(
        TrainTranslateJob(
            out=out,
            objective=objective,
            data=data,
            preset=preset,
            config=config,
            source=source,
            target=target,
            mpp=mpp,
            reverse=reverse,
            perceptual=perceptual,
            average=average,
            init=init,
            max_residual=max_residual,
            weight_by_residual=weight_by_residual,
            steps=steps,
            resume=resume,
            device=device,
            devices=devices,
            workers=workers,
            seed=seed,
        )
    )
