"""`stainbridge train translate`: from one stain to another."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from stainbridge.cli.output import say
from stainbridge.cli.run_folder import GENERATED, RunFolder
from stainbridge.cli.train import (
    ConfigOption,
    DeviceOption,
    DevicesOption,
    OutOption,
    PresetOption,
    ResumeOption,
    SeedOption,
    StepsOption,
    WorkersOption,
)
from stainbridge.cli.translation_data import GENERATED_MPP, is_manifest, tile_data
from stainbridge.errors import InputError

if TYPE_CHECKING:
    from stainbridge.translation.objectives.task import TranslationTask
    from stainbridge.translation.training.training import TranslationTraining

Objective = Literal[
    "cyclegan",
    "cyclegan-perceptual",
    "pix2pix",
    "pix2pix-unet",
    "pix2pixhd",
    "pyramid-pix2pix",
    "supervised-patchnce",
]
#: What is generated, and what pictures show, when nothing else is said.
GENERATED_STAINS, STAINS = ("HE", "HER2"), ("HE", "IHC")

DataOption = Annotated[
    str | None,
    typer.Option(
        "--data",
        help="A folder of tiles (HE/train, IHC/train, HE/test, ...; trainA, trainB, ...; A, B), two folders A,B with a "
        "comma between, a manifest.csv of slides (fixed,moving[,transform]), or generated.  [default: generated]",
        metavar="DATA",
    ),
]
PerceptualOption = Annotated[
    Path | None,
    typer.Option(
        "--perceptual",
        help="VGG-16's ImageNet weights for cyclegan-perceptual: torchvision's vgg16-397923af.pth converted to "
        "safetensors as docs/translate-training.md shows. Without it a seeded, untrained network stands in, and log "
        "and model card say so.",
        metavar="FILE.safetensors",
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
        bool, typer.Option("--reverse", help="Learn the other way: IHC to H&E.")
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
    steps: StepsOption = None,
    resume: ResumeOption = False,
    device: DeviceOption = None,
    devices: DevicesOption = None,
    workers: WorkersOption = None,
    seed: SeedOption = None,
) -> None:
    """Train a translation from one stain to another, from tiles, from slides or on generated
    tissue.

    cyclegan and cyclegan-perceptual take pictures that need not correspond; the others need pairs.
    RUN receives what `train affine` writes, and model-card.md.

    \b
    Example:
        stainbridge train translate --objective pix2pix --data generated --steps 20 --out run
        stainbridge train translate --out run --resume --steps 40
    """
    from stainbridge.translation.training.training import TranslationTraining

    given = {
        "steps": steps,
        "device": device,
        "devices": devices,
        "workers": workers,
        "seed": seed,
        "average": average,
    }
    chosen = {
        "data": data,
        "preset": preset,
        "config": config,
        "objective": objective,
        "source": source,
        "target": target,
        "mpp": mpp,
        "reverse": reverse or None,
        "perceptual": perceptual,
        "init": init,
    }

    def preset_settings() -> TranslationTraining:
        begun = TranslationTraining.preset(objective or "pyramid-pix2pix", preset or "small")
        return _directed(
            _perceiving(begun, perceptual), data or GENERATED, (source, target), mpp, reverse
        )

    folder = RunFolder(out, "train translate", resume)
    settings, of = folder.plan(TranslationTraining, preset_settings, chosen, given)
    settings = settings if steps is None else settings.lasting(steps)
    _train(folder, settings, of, init)


def _directed(
    settings: TranslationTraining,
    data: str,
    stains: tuple[str | None, str | None],
    mpp: float | None,
    reverse: bool,
) -> TranslationTraining:
    """Settings that know from which stain to which, and at what pixel size."""
    usual = GENERATED_STAINS if data == GENERATED else STAINS
    usual = usual[::-1] if reverse else usual
    source, target = (name or other for name, other in zip(stains, usual, strict=True))
    if mpp is None:
        mpp = GENERATED_MPP if data == GENERATED else _manifest_mpp(data)
    translation = replace(settings.translation, source=source, target=target, mpp=mpp)
    return replace(
        settings, translation=translation, tiles=replace(settings.tiles, reverse=reverse)
    )


def _manifest_mpp(data: str) -> float | None:
    if not is_manifest(data):
        return None
    from stainbridge.datasets.slide_pairs import read_slide_pairs

    mpp = read_slide_pairs(Path(data)).mpp
    if mpp is None:
        raise InputError(
            "the first slide has no pixel size",
            where=data,
            remedy="give it in the column fixed_mpp",
        )
    return mpp


def _perceiving(settings: TranslationTraining, perceptual: Path | None) -> TranslationTraining:
    """Settings with weights for the perceptual loss."""
    from stainbridge.translation.objectives.config import CycleConfig

    if perceptual is None:
        return settings
    objective = settings.translation.objective
    if not isinstance(objective, CycleConfig) or not objective.feature:
        raise InputError(
            "the objective has no perceptual loss",
            where="--perceptual",
            expected="cyclegan-perceptual",
        )
    network = replace(objective.perceptual, weights=str(perceptual.resolve()))
    translation = replace(settings.translation, objective=replace(objective, perceptual=network))
    return replace(settings, translation=translation)


def _train(
    folder: RunFolder, settings: TranslationTraining, source: str, init: Path | None
) -> None:
    from stainbridge.learn.shipped import weights_path
    from stainbridge.translation.inference.model import begin_with
    from stainbridge.translation.objectives.tasks import task_of

    def make_task() -> TranslationTask:
        task = task_of(settings.translation)
        if init is not None:
            begin_with(task, weights_path(str(init)))
        return task

    _tell_perceptual(folder, settings)
    with tile_data(source, settings) as data:
        folder.train(
            make_task, data, settings, source, lambda path: _write_card(path, settings, source)
        )


def _tell_perceptual(folder: RunFolder, settings: TranslationTraining) -> None:
    from stainbridge.nn.perceptual import SEEDED
    from stainbridge.translation.training.card import perceptual_name

    name = perceptual_name(settings.translation)
    if name is not None and folder.first_process:
        say(
            f"perceptual network: {name}"
            + (" (no --perceptual was given)" if name == SEEDED else "")
        )


def _write_card(path: Path, settings: TranslationTraining, data: str) -> None:
    from stainbridge.learn.record import METRICS, read_rows
    from stainbridge.translation.training.card import CARD, model_card
    from stainbridge.whole import whole_file

    with whole_file(path / CARD) as temporary:
        card = model_card(settings, data, read_rows(path / METRICS), version("stainbridge"))
        temporary.write_text(card, encoding="utf-8")
