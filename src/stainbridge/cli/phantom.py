"""`stainbridge phantom`: generated pairs of slides with their exact truth, as a data set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stainbridge.cli.options import JsonOption, check_folder
from stainbridge.cli.output import print_json, say
from stainbridge.cli.progress import show_progress
from stainbridge.errors import InputError
from stainbridge.jobs.phantom import STAINS, PhantomJob
from stainbridge.jobs.phantom_slices import STAINS as SLICE_STAINS
from stainbridge.jobs.phantom_slices import PhantomSlicesJob

#: How many pairs, unless asked for otherwise.
CASES = 10
#: Side of the slides of a pair, and of the slices of a stack.
SIZE_PX = 2048
SLICE_PX = 256


def phantom(
    out: Annotated[
        Path,
        typer.Option(
            "--out", help="The folder for the data set.", metavar="DIR", callback=check_folder
        ),
    ],
    cases: Annotated[
        int | None, typer.Option("--cases", help=f"How many pairs; default: {CASES}.", min=1)
    ] = None,
    slices: Annotated[
        int | None,
        typer.Option("--slices", help="How many slices of one stack, in place of pairs.", min=1),
    ] = None,
    size_px: Annotated[
        int | None,
        typer.Option(
            "--size",
            help=f"Side of the slides in pixels; default: {SIZE_PX}, of slices {SLICE_PX}.",
            min=128,
        ),
    ] = None,
    stains: Annotated[
        str | None,
        typer.Option(
            "--stains",
            help=f"Stains to draw two different ones from, with commas between; default: {STAINS}."
            f" Of slices the fixed and the moving one; default: {SLICE_STAINS}.",
        ),
    ] = None,
    difficulty: Annotated[
        str,
        typer.Option(
            "--difficulty",
            help="easy, real or hard; faint: a marker on next to no counterstain; dense: nearly "
            "black; or slides of several pieces: fragments, or cores. Of slices the first three.",
        ),
    ] = "real",
    organ: Annotated[
        str | None,
        typer.Option(
            "--organ",
            help="The kind of tissue; any: another one for each pair. Default: any, of slices"
            " gland.",
        ),
    ] = None,
    mpp: Annotated[
        float | None,
        typer.Option(
            "--mpp", help="Pixel size in µm; default: sections some 3 mm across, slices 1.6 mm."
        ),
    ] = None,
    seed: Annotated[
        int,
        typer.Option(
            "--seed", help="Seed of the first pair or of the stack; later pairs count on.", min=0
        ),
    ] = 0,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an earlier data set in DIR.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Generate pairs of stained sections with exact ground truth, as a data set.

    It serves benchmarks and training. DIR receives the slides (pyramidal OME-TIFF), landmarks
    (CSV), tissue classes, the true transforms, pairs.csv and cases.json, all when the last pair is
    complete. Stains: HE, Ki67, PHH3, ER, HER2, PanCK, CD31, PAS, Masson, DAPI, IF, and random
    (random colours).

    With --slices, DIR receives one stack of serial slices in two stains: the folders fixed and
    moving (PNG), and each one's _mask, _labels and _landmarks. It serves train sbr and evaluate
    slices.

    \b
    Example:
        stainbridge phantom --out phantoms --cases 2 --size 1024 --stains he,ki67,panck
        stainbridge benchmark landmarks phantoms/pairs.csv --methods default --out table
        stainbridge phantom --out stack --slices 24 --stains he,panck
    """
    if slices is None:
        job = PhantomJob(
            out=out,
            cases=cases or CASES,
            size_px=size_px or SIZE_PX,
            stains=STAINS if stains is None else stains,
            difficulty=difficulty,
            organ=organ or "any",
            mpp=mpp,
            seed=seed,
            overwrite=overwrite,
        )
        _generate_pairs(job, json)
        return
    if cases is not None:
        raise InputError("--cases and --slices exclude each other", expected="one of them")
    stack = PhantomSlicesJob(
        out=out,
        slices=slices,
        size_px=size_px or SLICE_PX,
        stains=SLICE_STAINS if stains is None else stains,
        difficulty=difficulty,
        organ=organ or "gland",
        mpp=mpp,
        seed=seed,
        overwrite=overwrite,
    )
    _generate_slices(stack, json)


def _generate_pairs(job: PhantomJob, json: bool) -> None:
    with show_progress() as progress:
        outcome = job.run(progress, say)
    if json:
        print_json(
            {"out": str(outcome.folder), "pairs": str(outcome.table), "cases": list(outcome.cases)}
        )
    else:
        say(f"{job.cases} pairs of {job.size_px} x {job.size_px} pixels")
        print(outcome.table)


def _generate_slices(job: PhantomSlicesJob, json: bool) -> None:
    with show_progress() as progress:
        outcome = job.run(progress, say)
    if json:
        print_json({"out": str(outcome.folder), "slices": list(outcome.slices)})
    else:
        say(f"{job.slices} slices of {job.size_px} x {job.size_px} pixels")
        print(outcome.folder)
