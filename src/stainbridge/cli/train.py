"""`stainbridge train`: networks trained on generated tissue or on pairs of slides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from stainbridge.cli.output import say
from stainbridge.cli.run_folder import GENERATED, RunFolder

if TYPE_CHECKING:
    from stainbridge.learn.loop import Data
    from stainbridge.learn.task import Task
    from stainbridge.registration.training.config import AffineTraining, DeformableTraining

    RegistrationTraining = AffineTraining | DeformableTraining

Preset = Literal["small", "paper"]
Device = Literal["auto", "cpu", "cuda"]
Network = Literal["multiscale-fcn", "fcn", "dirnet", "unet-svf"]

#: From so many cases on, one in `HELD_ONE_IN` is kept out of training and measured on.
HELD_FROM, HELD_ONE_IN = 5, 5
#: The folder of a run's kept samples.
SAMPLES = "samples"

app = typer.Typer(
    no_args_is_help=True, help="Train networks: on generated tissue or on your own pairs of slides."
)

DataOption = Annotated[
    str | None,
    typer.Option(
        "--data",
        help="A data set: a folder or table of pairs.  [default: generated]",
        metavar="DATA",
    ),
]
OutOption = Annotated[Path, typer.Option("--out", help="The folder of the run.", metavar="RUN")]
PresetOption = Annotated[
    Preset | None,
    typer.Option("--preset", help="For 2 CPU cores, or as published.  [default: small]"),
]
ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", help="Settings to put over the preset's.", metavar="FILE.yaml"),
]
StepsOption = Annotated[
    int | None, typer.Option("--steps", help="Steps in all, earlier ones included.", min=1)
]
ResumeOption = Annotated[
    bool, typer.Option("--resume", help="Go on with the run in RUN, with its settings.")
]
DeviceOption = Annotated[
    Device | None, typer.Option("--device", help="Where to compute.  [default: auto]")
]
DevicesOption = Annotated[
    int | None, typer.Option("--devices", help="How many GPUs or processes.", min=1)
]
WorkersOption = Annotated[
    int | None, typer.Option("--workers", help="Processes that make samples.", min=0)
]
SeedOption = Annotated[
    int | None, typer.Option("--seed", help="Seed of every random choice.", min=0)
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
    """Train the affine network, which brings one section roughly onto another in one pass.

    RUN receives config.yaml, metrics.csv, last.safetensors (to resume), best.safetensors (to use),
    pictures and TensorBoard's log. Ctrl-C ends the step and saves; --resume goes on.

    \b
    Example:
        stainbridge train affine --data generated --preset small --steps 20 --out affine-run
        stainbridge train affine --out affine-run --resume --steps 40
    """
    from stainbridge.registration.training.config import AffineTraining
    from stainbridge.registration.training.task import AffineTask

    given = {"steps": steps, "device": device, "devices": devices, "workers": workers, "seed": seed}
    chosen = {"data": data, "preset": preset, "config": config}
    folder = RunFolder(out, "train affine", resume)
    settings, source = folder.plan(
        AffineTraining, lambda: AffineTraining.preset(preset or "small"), chosen, given
    )
    _train(folder, settings, source, lambda: AffineTask(settings))


@app.command("deformable")
def deformable(
    out: OutOption,
    network: Annotated[
        Network | None, typer.Option("--network", help="Which network.  [default: multiscale-fcn]")
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
    """Train a network that bends one section onto another that is already roughly aligned.

    RUN receives what `train affine` writes.

    \b
    Example:
        stainbridge train deformable --network unet-svf --preset small --steps 20 --out unet-run
        stainbridge train deformable --network multiscale-fcn --data pairs.csv --preset paper \\
            --out fcn-run
    """
    from stainbridge.registration.training.config import DeformableTraining
    from stainbridge.registration.training.task import DeformableTask

    def preset_settings() -> DeformableTraining:
        return DeformableTraining.preset(preset or "small", network or "multiscale-fcn")

    given = {"steps": steps, "device": device, "devices": devices, "workers": workers, "seed": seed}
    chosen = {"data": data, "preset": preset, "config": config, "network": network}
    folder = RunFolder(out, "train deformable", resume)
    settings, source = folder.plan(DeformableTraining, preset_settings, chosen, given)
    _train(folder, settings, source, lambda: DeformableTask(settings))


def _train(
    folder: RunFolder,
    settings: RegistrationTraining,
    source: str,
    make_task: Callable[[], Task[Any]],
) -> None:
    wanted = settings.train.workers * settings.train.batch
    if folder.first_process and wanted > settings.pairs.at_hand:
        say(
            f"warning: with pairs: at_hand below workers x batch = {wanted}, workers prepare the same pairs"
        )
    folder.train(make_task, pair_data(source, settings, folder.path / SAMPLES), settings, source)


def pair_data(source: str, settings: RegistrationTraining, samples: Path) -> Data:
    """Training and held-out samples from generated tissue or from a data set's cases; kept ones lie
    in `samples`.
    """
    from stainbridge.datasets.generated import GeneratedPairs
    from stainbridge.learn.loop import Data
    from stainbridge.registration.training.kept import KeptStream
    from stainbridge.registration.training.stream import PairStream

    seed = settings.train.seed
    once = replace(settings.pairs, reuse=1, at_hand=1)  # every held-out sample shows another pair
    training, held = (
        (
            GeneratedPairs(settings.generated, 2 * seed),
            GeneratedPairs(settings.generated, 2 * seed + 1),
        )
        if source == GENERATED
        else _cases(Path(source))
    )
    stream = PairStream(training, settings.pairs, 2 * seed)
    kept = KeptStream(stream, samples) if settings.pairs.kept else stream
    return Data(kept, PairStream(held, once, 2 * seed + 1))


def _cases(path: Path) -> tuple[Any, Any]:
    """The cases of a data set to train on and to measure on."""
    from stainbridge.datasets.layouts import read_data_set
    from stainbridge.registration.training.align import by_registration
    from stainbridge.registration.training.pairs import CasePairs

    cases = read_data_set(path).cases
    if len(cases) < HELD_FROM:
        say(
            f"warning: {len(cases)} pairs are too few to keep some out: training pairs are measured on too"
        )
        return CasePairs(cases, by_registration), CasePairs(cases, by_registration)
    training = [case for number, case in enumerate(cases) if number % HELD_ONE_IN]
    return CasePairs(training, by_registration), CasePairs(cases[::HELD_ONE_IN], by_registration)
