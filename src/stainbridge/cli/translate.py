"""`stainbridge translate`: a whole slide in another stain."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stainbridge.cli.options import CompressionOption, QualityOption, SharpenOption
from stainbridge.cli.output import describe_written, say
from stainbridge.cli.progress import show_progress
from stainbridge.compute import DeviceChoice
from stainbridge.jobs.choices import SlideFormatChoice
from stainbridge.jobs.translate import PrecisionChoice, TranslateJob


def translate(
    slide: Annotated[Path, typer.Argument(help="The slide to translate.", metavar="SLIDE")],
    model: Annotated[
        Path,
        typer.Option(
            "--model", help="A run of train translate, its weights, or he-panck.", metavar="RUN"
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="The slide to write.", metavar="X.ome.tiff")],
    reverse: Annotated[
        bool, typer.Option("--reverse", help="From the target stain to the source stain.")
    ] = False,
    mpp: Annotated[
        float | None,
        typer.Option("--mpp", help="µm per pixel to translate at.  [default: as trained]"),
    ] = None,
    slide_mpp: Annotated[
        float | None,
        typer.Option(
            "--slide-mpp",
            help="µm per full-resolution pixel, where the file is wrong or does not say.",
        ),
    ] = None,
    sharpen: SharpenOption = None,
    glass: Annotated[
        bool, typer.Option("--glass", help="Translate glass too; otherwise it becomes white.")
    ] = False,
    format: Annotated[  # noqa: A002 - the option's name
        SlideFormatChoice | None,
        typer.Option("--format", help="[default: by the name of the output]"),
    ] = None,
    compression: CompressionOption = None,
    quality: QualityOption = 85,
    device: Annotated[DeviceChoice, typer.Option("--device", help="Where to compute.")] = "auto",
    precision: Annotated[
        PrecisionChoice,
        typer.Option("--precision", help="bf16 and 16 are faster, to a few grey levels."),
    ] = "32",
    tile_px: Annotated[
        int | None,
        typer.Option(
            "--tile",
            help="Side of the tiles shown to the network, in pixels.  [default: 1024 or 2048]",
            min=1,
        ),
    ] = None,
    seed: Annotated[
        int,
        typer.Option(
            "--seed", help="Draws the tiles whose statistics stand for the slide's.", min=0
        ),
    ] = 0,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an existing output file.")
    ] = False,
) -> None:
    """Write a slide as a trained model translates it, at the model's pixel size.

    Tiles overlap as far as the network reaches and are normalised by statistics of the whole slide,
    so there are no seams. Finished tiles are kept in X.parts until the slide is complete; after an
    interruption the same command resumes.

    he-panck comes with stainbridge: H&E to pan-cytokeratin, learned on generated tissue alone.

    \b
    Example:
        stainbridge translate he.svs --model he-panck --out panck.ome.tiff
        stainbridge translate he.svs --model he-to-ki67 --out ki67.ome.tiff
        stainbridge translate he.svs --model he-to-ki67 --out ki67.tiff --mpp 1.0 \\
            --device cuda --precision 16
        stainbridge translate he.svs --model he-to-ki67 --sharpen x2-run --out sharp.ome.tiff
    """
    job = TranslateJob(
        slide=slide,
        model=model,
        out=out,
        reverse=reverse,
        mpp=mpp,
        slide_mpp=slide_mpp,
        sharpen=sharpen,
        glass=glass,
        format=format,
        compression=compression,
        quality=quality,
        device=device,
        precision=precision,
        tile_px=tile_px,
        seed=seed,
        overwrite=overwrite,
    )
    with show_progress() as progress:
        outcome = job.run(progress, say)
    print(describe_written(outcome.written, outcome.seconds))
