"""Options that every `stainbridge train` command has, and what it prints."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from stainbridge.cli.options import check_folder
from stainbridge.cli.output import say
from stainbridge.cli.training_progress import training_progress
from stainbridge.compute import DeviceChoice
from stainbridge.jobs.training.train_job import TrainingPresetChoice, TrainJob

OutOption = Annotated[
    Path,
    typer.Option("--out", help="The folder of the run.", metavar="RUN", callback=check_folder),
]
PresetOption = Annotated[
    TrainingPresetChoice | None,
    typer.Option("--preset", help="For 2 CPU cores, or as published.  [default: small]"),
]
ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", help="Settings that replace the preset's.", metavar="FILE.yaml"),
]
StepsOption = Annotated[
    int | None, typer.Option("--steps", help="Steps in all, earlier ones included.", min=1)
]
ResumeOption = Annotated[
    bool,
    typer.Option(
        "--resume", help="Resume the run in RUN, with its settings; begin it where there is none."
    ),
]
DeviceOption = Annotated[
    DeviceChoice | None, typer.Option("--device", help="Where to compute.  [default: auto]")
]
DevicesOption = Annotated[
    int | None, typer.Option("--devices", help="How many GPUs or processes.", min=1)
]
WorkersOption = Annotated[
    int | None, typer.Option("--workers", help="Processes that prepare samples.", min=0)
]


def run_training(job: TrainJob[Any]) -> None:
    """Run a training and print what it left."""
    with training_progress() as progress:
        outcome = job.run(progress, say)
    if outcome.is_first_process:
        best = outcome.best_measure
        measure = "" if best is None else f", best measure {best:.5g}"
        print(f"{outcome.steps} steps{measure}\nwritten: {outcome.folder}")
