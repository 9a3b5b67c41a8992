"""`stainbridge translate`: a whole slide in another stain."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from stainbridge.cli.output import progress_bar, say
from stainbridge.cli.unfinished import check_output, kept_parts, parts_folder

if TYPE_CHECKING:
    from stainbridge.slides.slide import Slide
    from stainbridge.translate.apply import ApplyConfig
    from stainbridge.translate.model import Model

DEFAULT_TILE = 1024


def translate(
    slide: Annotated[Path, typer.Argument(help="The slide to translate.", metavar="SLIDE")],
    model: Annotated[Path, typer.Option("--model", help="A run of train translate, or its weights.", metavar="RUN")],
    out: Annotated[Path, typer.Option("--out", help="The slide to write.", metavar="X.ome.tiff")],
    reverse: Annotated[bool, typer.Option("--reverse", help="From the target stain to the source stain.")] = False,
    mpp: Annotated[
        float | None, typer.Option("--mpp", help="µm per pixel to translate at.  [default: as trained]")
    ] = None,
    slide_mpp: Annotated[
        float | None,
        typer.Option("--slide-mpp", help="µm per full-resolution pixel, where the file errs or is silent."),
    ] = None,
    glass: Annotated[bool, typer.Option("--glass", help="Translate glass too; else it becomes white.")] = False,
    format: Annotated[
        Literal["ome-tiff", "tiff"] | None, typer.Option("--format", help="[default: by the name of the output]")
    ] = None,
    compression: Annotated[
        Literal["jpeg", "deflate", "zstd", "none"] | None,
        typer.Option("--compression", help="[default: jpeg for RGB, else deflate]"),
    ] = None,
    quality: Annotated[int, typer.Option("--quality", help="Quality of JPEG.", min=1, max=100)] = 85,
    device: Annotated[Literal["auto", "cpu", "cuda"], typer.Option("--device", help="Where to compute.")] = "auto",
    precision: Annotated[
        Literal["32", "bf16", "16"], typer.Option("--precision", help="bf16 and 16 are faster, to a few grey levels.")
    ] = "32",
    tile: Annotated[int, typer.Option("--tile", help="Pixels a side that the network is shown.", min=1)] = DEFAULT_TILE,
    seed: Annotated[int, typer.Option("--seed", help="Draws the tiles whose statistics are the slide's.", min=0)] = 0,
) -> None:
    """Write a slide as a trained model translates it, at the model's pixel size.

    Tiles overlap as far as the network reaches and are normalised by statistics of the whole slide, so there are no
    seams. Finished tiles are kept in X.parts until the slide is complete: interrupted, the same command goes on.

    \b
    Example:
        stainbridge translate he.svs --model he-to-ki67 --out ki67.ome.tiff
        stainbridge translate he.svs --model he-to-ki67 --out ki67.tiff --mpp 1.0 --device cuda --precision 16
    """
    from stainbridge.slides.write import write_slide
    from stainbridge.translate.apply import ApplyConfig
    from stainbridge.translate.inference import halving
    from stainbridge.translate.model import read_model
    from stainbridge.translate.tiling import least_tile

    check_output(out, slide)
    found = read_model(model)
    found = found.reversed() if reverse else found
    make = partial(_translated, slide, slide_mpp, found, out)

    def attempt(tile_px: int) -> None:
        config = ApplyConfig(tile_px, device, precision, mpp, glass, seed)
        with make(config) as shown, progress_bar() as progress:
            write_slide(
                shown,
                out,
                format=format or format_of(out),
                compression=compression,
                quality=quality,
                progress=lambda done, total: progress("translating", done / total),
                overwrite=True,
            )

    with kept_parts(out):
        halving(tile, least_tile(found.period), attempt, say)


def format_of(out: Path) -> Literal["ome-tiff", "tiff"]:
    """What the name of an output asks for."""
    return "ome-tiff" if ".ome." in out.name else "tiff"


def _translated(path: Path, slide_mpp: float | None, model: Model, out: Path, config: ApplyConfig) -> Slide:
    from stainbridge.slides.open import open_slide
    from stainbridge.translate.apply import plan_of, translated
    from stainbridge.translate.parts import Parts

    source = open_slide(path, mpp=slide_mpp)
    try:
        plan = plan_of(path, model.path, config, target=model.target, slide_mpp=slide_mpp)
        return translated(source, model, config, say, partial(Parts.open, parts_folder(out) / "translated", plan))
    except BaseException:
        source.close()
        raise
