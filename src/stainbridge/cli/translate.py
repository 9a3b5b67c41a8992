"""`stainbridge translate`: a whole slide in another stain."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from stainbridge.cli.output import progress_bar, say
from stainbridge.cli.unfinished import check_output, kept_parts, parts_folder

if TYPE_CHECKING:
    from stainbridge.slides.slide import Slide
    from stainbridge.translation.inference.apply import ApplyConfig
    from stainbridge.translation.inference.model import Model
    from stainbridge.translation.sharpening.sharpen import Sharpening


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
            "--slide-mpp", help="µm per full-resolution pixel, where the file errs or is silent."
        ),
    ] = None,
    sharpen: Annotated[
        Path | None,
        typer.Option(
            "--sharpen", help="Sharpen the result: a run of train sharpen.", metavar="RUN"
        ),
    ] = None,
    glass: Annotated[
        bool, typer.Option("--glass", help="Translate glass too; else it becomes white.")
    ] = False,
    format: Annotated[
        Literal["ome-tiff", "tiff"] | None,
        typer.Option("--format", help="[default: by the name of the output]"),
    ] = None,
    compression: Annotated[
        Literal["jpeg", "deflate", "zstd", "none"] | None,
        typer.Option("--compression", help="[default: jpeg for RGB, else deflate]"),
    ] = None,
    quality: Annotated[
        int, typer.Option("--quality", help="Quality of JPEG.", min=1, max=100)
    ] = 85,
    device: Annotated[
        Literal["auto", "cpu", "cuda"], typer.Option("--device", help="Where to compute.")
    ] = "auto",
    precision: Annotated[
        Literal["32", "bf16", "16"],
        typer.Option("--precision", help="bf16 and 16 are faster, to a few grey levels."),
    ] = "32",
    tile: Annotated[
        int | None,
        typer.Option(
            "--tile",
            help="Pixels a side that the network is shown.  [default: 1024 or 2048]",
            min=1,
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option("--seed", help="Draws the tiles whose statistics are the slide's.", min=0)
    ] = 0,
) -> None:
    """Write a slide as a trained model translates it, at the model's pixel size.

    Tiles overlap as far as the network reaches and are normalised by statistics of the whole slide,
    so there are no seams. Finished tiles are kept in X.parts until the slide is complete:
    interrupted, the same command goes on.

    he-panck comes with stainbridge: H&E to pan-cytokeratin, learned on generated tissue alone.

    \b
    Example:
        stainbridge translate he.svs --model he-panck --out panck.ome.tiff
        stainbridge translate he.svs --model he-to-ki67 --out ki67.ome.tiff
        stainbridge translate he.svs --model he-to-ki67 --out ki67.tiff --mpp 1.0 \\
            --device cuda --precision 16
        stainbridge translate he.svs --model he-to-ki67 --sharpen x2-run --out sharp.ome.tiff
    """
    from stainbridge.learn.shipped import weights_path
    from stainbridge.slides.writing.write import write_slide
    from stainbridge.translation.inference.apply import ApplyConfig
    from stainbridge.translation.inference.inference import halving
    from stainbridge.translation.inference.model import read_model
    from stainbridge.translation.inference.tiling import least_tile, usual_tile
    from stainbridge.translation.sharpening.sharpen import read_sharpening

    check_output(out, slide)
    found = read_model(weights_path(str(model)))
    sharpening = None if sharpen is None else read_sharpening(weights_path(str(sharpen)))
    job = _Job(slide, slide_mpp, found.reversed() if reverse else found, sharpening, out)

    def attempt(tile_px: int) -> None:
        with progress_bar() as progress:
            progress("looking at the slide", 0.0)
            with job.shown(ApplyConfig(tile_px, device, precision, mpp, glass, seed)) as shown:
                write_slide(
                    shown,
                    out,
                    format=format or format_of(out),
                    compression=compression,
                    quality=quality,
                    progress=lambda done, total: progress("translating", done / total),
                    overwrite=True,
                )

    first = tile or usual_tile(job.model.to_target.reach, found.period)
    with kept_parts(out):
        halving(first, least_tile(found.period), attempt, say)


def format_of(out: Path) -> Literal["ome-tiff", "tiff"]:
    """What the name of an output asks for."""
    return "ome-tiff" if ".ome." in out.name else "tiff"


@dataclass(frozen=True)
class _Job:
    """What is to be made of which slide."""

    slide: Path
    slide_mpp: float | None
    model: Model
    sharpening: Sharpening | None
    out: Path

    def shown(self, config: ApplyConfig) -> Slide:
        """The translated slide, sharpened where that is wanted; closing it closes the file."""
        from stainbridge.slides.open import open_slide
        from stainbridge.translation.inference.apply import plan_of, translated
        from stainbridge.translation.inference.parts import Parts
        from stainbridge.translation.sharpening.sharpen import sharpened

        folder, source = parts_folder(self.out), open_slide(self.slide, mpp=self.slide_mpp)
        with ExitStack() as opened:
            opened.enter_context(source)
            plan = plan_of(
                config,
                self.slide,
                self.model.path,
                target=self.model.target,
                slide_mpp=self.slide_mpp,
            )
            shown = translated(
                source, self.model, config, say, partial(Parts.open, folder / "translated", plan)
            )
            if self.sharpening is not None:
                plan = {**plan, "sharpening": plan_of(config, self.sharpening.path)}
                parts = partial(Parts.open, folder / "sharpened", plan)
                shown = sharpened(shown, self.sharpening, config, say, shown.tissue, parts)
            opened.pop_all()  # nothing failed: the slide is the caller's to close
            return shown
