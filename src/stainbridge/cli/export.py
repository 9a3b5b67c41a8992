"""`stainbridge export`: affine maps and trained networks for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stainbridge.cli.output import say
from stainbridge.cli.progress import show_progress
from stainbridge.jobs.export_affine import AffineFormatChoice, ExportAffineJob
from stainbridge.jobs.export_onnx import ExportOnnxJob

app = typer.Typer(
    no_args_is_help=True, help="Write affine maps and trained networks for other programs."
)


@app.callback()
def export() -> None:
    """Write affine maps and trained networks for other programs."""


@app.command("onnx")
def onnx(
    model: Annotated[
        Path,
        typer.Option("--model", help="A run of train translate, or its weights.", metavar="RUN"),
    ],
    out: Annotated[Path, typer.Option("--out", help="The file to write.", metavar="M.onnx")],
    reverse: Annotated[
        bool, typer.Option("--reverse", help="From the target stain to the source stain.")
    ] = False,
    statistics: Annotated[
        Path | None,
        typer.Option(
            "--statistics",
            help="Keep the statistics of this slide, as translate does.",
            metavar="SLIDE",
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option("--seed", help="Draws the tiles of --statistics.", min=0)
    ] = 0,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an existing output file.")
    ] = False,
) -> None:
    """Write a translation as ONNX: pictures (N, C, H, W) in -1 to 1 in and out, of any size.

    The written file is run and compared. Some networks normalise every picture by its own
    statistics, so tiles of a slide get different colours. With --statistics the network keeps those
    of one slide.

    \b
    Example:
        stainbridge export onnx --model he-to-ki67 --out he-to-ki67.onnx
        stainbridge export onnx --model he-to-ki67 --statistics he.svs \\
            --out he-to-ki67-for-he.onnx
    """
    job = ExportOnnxJob(
        model=model,
        out=out,
        reverse=reverse,
        statistics=statistics,
        seed=seed,
        overwrite=overwrite,
    )
    with show_progress() as progress:
        outcome = job.run(progress, say)
    difference = f"{outcome.largest_difference:.1g}"
    print(
        f"written: {outcome.written}; differs from the original by at most {difference} in -1 to 1"
    )


@app.command("affine")
def affine(
    result: Annotated[
        Path, typer.Argument(help="The folder that `stainbridge register` wrote.", metavar="DIR")
    ],
    out: Annotated[Path, typer.Option("--out", help="The file to write.", metavar="X.csv|X.json")],
    format: Annotated[  # noqa: A002 - the option's name
        AffineFormatChoice | None,
        typer.Option("--format", help="[default: xenium for .csv, spatialdata for .json]"),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an existing output file.")
    ] = False,
) -> None:
    """Write a registration's nearest affine map, from moving to fixed pixels.

    A .csv is the alignment matrix of Xenium Explorer, a .json the transformation of SpatialData or
    OME-NGFF. The deformation is left out; the command says how much that is.

    \b
    Example:
        stainbridge export affine result --out matrix.csv
        stainbridge export affine result --out affine.json --format ome-ngff
    """
    outcome = ExportAffineJob(result=result, out=out, format=format, overwrite=overwrite).run(
        note=say
    )
    unit = "µm" if outcome.calibrated else "px"
    print(
        f"written: {outcome.written}; differs from the registration by {outcome.mean_um:.1f} {unit}"
        f" on average, at most {outcome.largest_um:.1f} {unit}"
    )
