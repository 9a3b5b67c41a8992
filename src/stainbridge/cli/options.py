"""Options that several verbs share, each with one name, one meaning and one help text."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stainbridge.jobs.choices import CompressionChoice
from stainbridge.jobs.files.endings import check_folder_name


def check_folder(out: Path | None) -> Path | None:
    """Return the name of an output folder; raise `InputError` for a new one that names a file."""
    if out is not None:
        check_folder_name(out)
    return out


JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
SeedOption = Annotated[
    int | None, typer.Option("--seed", help="Seed of every random choice.", min=0)
]
PipelineOption = Annotated[
    Path | None,
    typer.Option("--pipeline", help="A configuration instead of a preset.", metavar="FILE.yaml"),
]
NoFlipOption = Annotated[bool, typer.Option("--no-flip", help="Neither section is mirrored.")]
MaxRotationOption = Annotated[
    float | None,
    typer.Option(
        "--max-rotation",
        help="Largest rotation to search, in degrees.",
        metavar="DEG",
        min=0,
        max=180,
    ),
]
CompressionOption = Annotated[
    CompressionChoice | None,
    typer.Option("--compression", help="[default: jpeg for RGB, else deflate; zstd in OME-Zarr]"),
]
QualityOption = Annotated[int, typer.Option("--quality", help="Quality of JPEG.", min=1, max=100)]
SharpenOption = Annotated[
    Path | None,
    typer.Option("--sharpen", help="Sharpen the result: a run of train sharpen.", metavar="RUN"),
]
