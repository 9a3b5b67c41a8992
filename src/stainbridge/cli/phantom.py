"""`stainbridge phantom`: generated pairs of slides with their exact truth, as a data set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stainbridge.cli.output import print_json, progress_bar, say
from stainbridge.jobs.phantom import STAINS, PhantomJob


def phantom(
    out: Annotated[Path, typer.Option("--out", help="The folder for the data set.", metavar="DIR")],
    cases: Annotated[int, typer.Option("--cases", help="How many pairs.", min=1)] = 10,
    size: Annotated[
        int, typer.Option("--size", help="Side of the slides in pixels.", min=128)
    ] = 2048,
    stains: Annotated[
        str,
        typer.Option(
            "--stains", help="Stains to draw two different ones from, with commas between."
        ),
    ] = STAINS,
    difficulty: Annotated[str, typer.Option("--difficulty", help="easy, real or hard.")] = "real",
    organ: Annotated[
        str, typer.Option("--organ", help="The kind of tissue; any: another one for each pair.")
    ] = "any",
    mpp: Annotated[
        float | None,
        typer.Option("--mpp", help="Pixel size in µm; default: sections some 3 mm across."),
    ] = None,
    seed: Annotated[
        int, typer.Option("--seed", help="Seed of the first pair; later pairs count on.", min=0)
    ] = 0,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an earlier data set in DIR.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Generate pairs of stained sections with exact ground truth, as a data set.

    It serves benchmarks and training. DIR receives the slides (pyramidal OME-TIFF), landmarks
    (CSV), tissue classes, the true transforms, pairs.csv and cases.json, all when the last pair is
    complete. Stains: HE, Ki67, PHH3, ER, HER2, PanCK, CD31, PAS, Masson, DAPI, IF, and random
    (random colours).

    \b
    Example:
        stainbridge phantom --out phantoms --cases 2 --size 1024 --stains he,ki67,panck
        stainbridge benchmark landmarks phantoms/pairs.csv --methods default --out table
    """
    job = PhantomJob(
        out=out,
        cases=cases,
        size_px=size,
        stains=stains,
        difficulty=difficulty,
        organ=organ,
        mpp=mpp,
        seed=seed,
        overwrite=overwrite,
    )
    with progress_bar() as progress:
        outcome = job.run(progress, say)
    if json:
        print_json(
            {"out": str(outcome.folder), "pairs": str(outcome.table), "cases": list(outcome.cases)}
        )
    else:
        say(f"{cases} pairs of {size} x {size} pixels")
        print(outcome.table)
