"""`stainbridge train sharpen`: finer pixels, learned from down-sampled tiles."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

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
from stainbridge.errors import InputError, MissingFileError

if TYPE_CHECKING:
    from stainbridge.learn.loop import Data
    from stainbridge.translation.sharpening.config import SharpenTraining

Factor = Literal["2", "4"]
#: From so many files on, one in `HELD_ONE_IN` is kept out of training and measured on.
HELD_FROM, HELD_ONE_IN = 5, 5


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
        Factor | None, typer.Option("--factor", help="Pixels a side made of one.  [default: 2]")
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
    """Train ESRGAN to sharpen what translate and warp write: from down-sampled tiles to the sharp
    ones.

    RUN receives what `train affine` writes.

    \b
    Example:
        stainbridge train sharpen --data generated --steps 20 --out sharpen-run
        stainbridge train sharpen --data slides --factor 4 --preset paper \\
            --perceptual vgg16.safetensors --out x4-run
    """
    from stainbridge.translation.sharpening.config import SharpenTraining

    given = {"steps": steps, "device": device, "devices": devices, "workers": workers, "seed": seed}
    chosen = {
        "data": data, "preset": preset, "config": config, "factor": factor, "mpp": mpp, "perceptual": perceptual,
    }  # fmt: skip

    def begun() -> SharpenTraining:
        settings = SharpenTraining.preset(preset or "small", int(factor or 2))
        return _seeing(_at(settings, mpp), perceptual)

    folder = RunFolder(out, "train sharpen", resume)
    settings, source = folder.plan(SharpenTraining, begun, chosen, given)
    settings = settings if steps is None else settings.lasting(steps)
    _train(folder, settings, source)


def _at(settings: SharpenTraining, mpp: float | None) -> SharpenTraining:
    if mpp is None:
        return settings
    return replace(settings, sharpen=replace(settings.sharpen, mpp=mpp), pixel_um=(mpp, mpp))


def _seeing(settings: SharpenTraining, weights: Path | None) -> SharpenTraining:
    """With VGG-16's trained weights, which are as wide as published."""
    if weights is None:
        return settings
    network = replace(settings.sharpen.perceptual, weights=str(weights.resolve()), width=64)
    return replace(settings, sharpen=replace(settings.sharpen, perceptual=network))


def _train(folder: RunFolder, settings: SharpenTraining, source: str) -> None:
    from stainbridge.translation.sharpening.task import SharpenTask

    data = square_data(source, settings)
    if folder.first_process:
        say(f"perceptual network: {SharpenTask(settings.sharpen).perceptual.name}")
    folder.train(lambda: SharpenTask(settings.sharpen), data, settings, source)


def square_data(source: str, settings: SharpenTraining) -> Data:
    """Training and held-out samples of generated tissue, or of files.

    Raises `InputError` where there are none.
    """
    from stainbridge.learn.loop import Data
    from stainbridge.translation.sharpening.stream import SharpenStream

    factor = settings.sharpen.generator.factor
    training, held = (
        _generated(settings) if source == GENERATED else _of_files(Path(source), settings)
    )
    return Data(SharpenStream(training, factor), SharpenStream(held, factor))


def _generated(settings: SharpenTraining) -> tuple[Any, Any]:
    from stainbridge.datasets.generated_squares import GeneratedSquares

    side, seed = settings.sharpen.tile_px, 2 * settings.train.seed
    return GeneratedSquares(side, seed, settings.pixel_um), GeneratedSquares(
        side, seed + 1, settings.pixel_um
    )


def _of_files(path: Path, settings: SharpenTraining) -> tuple[Any, Any]:
    from stainbridge.translation.sharpening.stream import SlideSquares

    paths = slides_in(path)
    sharpen, seed = settings.sharpen, 2 * settings.train.seed
    size = (sharpen.tile_px, seed, sharpen.mpp, sharpen.generator.channels)
    if len(paths) < HELD_FROM:
        say(f"warning: {len(paths)} files are too few to keep some out: they are measured on too")
        return SlideSquares(paths, *size), SlideSquares(paths, size[0], seed + 1, *size[2:])
    training = [file for number, file in enumerate(paths) if number % HELD_ONE_IN]
    return SlideSquares(training, *size), SlideSquares(
        paths[::HELD_ONE_IN], size[0], seed + 1, *size[2:]
    )


def slides_in(path: Path) -> list[Path]:
    """A slide, or the files of a folder and the folders in it, in order; hidden ones are left out."""
    if not path.exists():
        raise MissingFileError(
            "no such file or folder", where=path, remedy="name slides or tiles, or leave --data out"
        )
    if path.is_file():
        return [path]
    files = [
        file for file in sorted(path.rglob("*")) if file.is_file() and not file.name.startswith(".")
    ]
    if not files:
        raise InputError("no slides or pictures", where=path)
    return files
