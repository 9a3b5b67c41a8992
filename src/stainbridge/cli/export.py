"""`stainbridge export`: trained networks for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stainbridge.cli.output import progress_bar, say
from stainbridge.jobs.export_onnx import ExportOnnxJob

app = typer.Typer(no_args_is_help=True, help="Write trained networks for other programs.")


@app.callback()
def export() -> None:
    """Write trained networks for other programs."""


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
    with progress_bar() as progress:
        outcome = job.run(progress, say)
    difference = f"{outcome.largest_difference:.1g}"
    print(
        f"written: {outcome.written}; differs from the original by at most {difference} in -1 to 1"
    )
