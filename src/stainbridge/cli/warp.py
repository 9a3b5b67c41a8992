"""`stainbridge warp`: slides, points and annotations carried over by a registration."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stainbridge.cli.options import CompressionOption, QualityOption, SharpenOption
from stainbridge.cli.output import describe_written, say
from stainbridge.cli.progress import show_progress
from stainbridge.jobs.choices import (
    CropChoice,
    InterpolationChoice,
    SideChoice,
    SlideFormatChoice,
)
from stainbridge.jobs.warp_geojson import WarpGeojsonJob
from stainbridge.jobs.warp_points import WarpPointsJob
from stainbridge.jobs.warp_slide import WarpSlideJob

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Carry a slide, points or annotations over."
)

ResultArgument = Annotated[
    Path, typer.Argument(help="The folder that `stainbridge register` wrote.", metavar="DIR")
]
ToOption = Annotated[
    SideChoice, typer.Option("--to", help="The slide to carry them to, from the other one.")
]
CropOption = Annotated[
    CropChoice | None,
    typer.Option("--crop", help="Count from the corner of this crop of `warp slide`."),
]
OverwriteOption = Annotated[
    bool, typer.Option("--overwrite", help="Replace an existing output file.")
]


@app.command("slide")
def slide(
    result: ResultArgument,
    out: Annotated[Path, typer.Option("--out", help="The slide to write.", metavar="X.ome.tiff")],
    crop: Annotated[
        CropChoice,
        typer.Option(
            "--crop",
            help="What to cover: the fixed slide, the part both cover, or the moving slide.",
        ),
    ] = "fixed",
    interpolation: Annotated[
        InterpolationChoice | None,
        typer.Option(
            "--interpolation", help="[default: nearest for images of labels, else linear]"
        ),
    ] = None,
    format: Annotated[  # noqa: A002 - the option's name
        SlideFormatChoice | None,
        typer.Option(
            "--format",
            help="tiff is for OpenSlide, which sees all its levels."
            "  [default: ome-zarr for X.zarr, else ome-tiff]",
        ),
    ] = None,
    compression: CompressionOption = None,
    quality: QualityOption = 85,
    threads: Annotated[
        int | None, typer.Option("--threads", help="[default: all cores]", min=1)
    ] = None,
    sharpen: SharpenOption = None,
    moving: Annotated[
        Path | None,
        typer.Option("--moving", help="Where the moving slide is now, if it was moved since."),
    ] = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Write the moving slide as it looks from the fixed one: same pixels, same places.

    \b
    Example:
        stainbridge warp slide result --out ki67-on-he.ome.tiff
        stainbridge warp slide result --out ki67-on-he.tiff --format tiff --crop overlap
        stainbridge warp slide result --out ki67-on-he.ome.zarr
        stainbridge warp slide result --moving labels.png --out labels-on-he.ome.tiff
        stainbridge warp slide result --out sharp.ome.tiff --sharpen x2-run
    """
    job = WarpSlideJob(
        result=result,
        out=out,
        crop=crop,
        interpolation=interpolation,
        format=format,
        compression=compression,
        quality=quality,
        threads=threads,
        sharpen=sharpen,
        moving=moving,
        overwrite=overwrite,
    )
    with show_progress() as progress:
        outcome = job.run(progress, say)
    print(describe_written(outcome.written, outcome.seconds))


@app.command("points")
def points(
    result: ResultArgument,
    source: Annotated[
        Path, typer.Argument(help="A table with columns X and Y, or QuPath's.", metavar="IN.csv")
    ],
    out: Annotated[Path, typer.Option("--out", help="The file to write.", metavar="OUT.csv")],
    to: ToOption = "fixed",
    crop: CropOption = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Carry points from the moving slide to the fixed one, or back; other columns are kept.

    \b
    Example:
        stainbridge warp points result ki67-landmarks.csv --out on-he.csv
        stainbridge warp points result he-landmarks.csv --out on-ki67.csv --to moving
    """
    job = WarpPointsJob(
        result=result, source=source, out=out, to=to, crop=crop, overwrite=overwrite
    )
    outcome = job.run(note=say)
    print(describe_written(outcome.written, outcome.seconds))


@app.command("geojson")
def geojson(
    result: ResultArgument,
    source: Annotated[
        Path, typer.Argument(help="Annotations as QuPath exports them.", metavar="IN.geojson")
    ],
    out: Annotated[Path, typer.Option("--out", help="The file to write.", metavar="OUT.geojson")],
    to: ToOption = "fixed",
    crop: CropOption = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Carry QuPath annotations from the moving slide to the fixed one, or back.

    Ids and classes are kept.

    \b
    Example:
        stainbridge warp geojson result ki67.geojson --out on-he.geojson
        stainbridge warp geojson result he.geojson --out on-ki67.geojson --to moving
    """
    job = WarpGeojsonJob(
        result=result, source=source, out=out, to=to, crop=crop, overwrite=overwrite
    )
    outcome = job.run(note=say)
    print(describe_written(outcome.written, outcome.seconds))
