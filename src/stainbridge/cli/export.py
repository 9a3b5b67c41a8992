"""`stainbridge export`: trained networks for other programs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stainbridge.cli.output import say
from stainbridge.cli.unfinished import check_output

if TYPE_CHECKING:
    from stainbridge.translation.inference.model import Model

app = typer.Typer(no_args_is_help=True, help="Trained networks for other programs.")


@app.callback()
def export() -> None:
    """Trained networks for other programs."""


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
) -> None:
    """Write a translation as ONNX: pictures (N, C, H, W) in -1 to 1 in and out, of any size.

    The written file is run and compared. Where the network normalises every picture by its own
    statistics, tiles of a slide come out in different colours; with --statistics it keeps those of
    one slide.

    \b
    Example:
        stainbridge export onnx --model he-to-ki67 --out he-to-ki67.onnx
        stainbridge export onnx --model he-to-ki67 --statistics he.svs \\
            --out he-to-ki67-for-he.onnx
    """
    from stainbridge.learn.shipped import weights_path
    from stainbridge.translation.inference.model import read_model
    from stainbridge.translation.inference.onnx_file import write_onnx
    from stainbridge.translation.inference.slide_statistics import normalises_tiles

    check_output(out, model)
    found = read_model(weights_path(str(model)))
    found = found.reversed() if reverse else found
    if statistics is not None:
        found = _with_statistics(found, statistics, seed)
    elif normalises_tiles(found.to_target):
        say(
            "note: this network normalises each picture by its own statistics; --statistics SLIDE keeps a slide's"
        )
    difference = write_onnx(found, out)
    print(f"written: {out}; differs from the original by at most {difference:.1g} in -1 to 1")


def _with_statistics(model: Model, path: Path, seed: int) -> Model:
    from stainbridge.slides.open import open_slide
    from stainbridge.translation.inference.apply import for_slide

    with open_slide(path) as slide:
        return replace(model, to_target=for_slide(model, slide, seed, say))
