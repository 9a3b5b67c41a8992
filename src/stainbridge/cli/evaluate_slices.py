"""`stainbridge evaluate slices`: methods on paired slices, scored by labels and masks."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from stainbridge.cli.names import split_names
from stainbridge.cli.options import JsonOption, check_folder
from stainbridge.cli.output import print_json, say
from stainbridge.cli.progress import show_progress
from stainbridge.compute import DeviceChoice
from stainbridge.jobs.evaluate_slices import EvaluateSlicesJob


def slices(
    data: Annotated[
        list[Path],
        typer.Option(
            "--data", help="Paired slices or a pairs.csv; may be repeated.", metavar="SLICES"
        ),
    ],
    methods: Annotated[
        str, typer.Option("--methods", help="Names and runs of train.", metavar="M1,RUN")
    ] = "identity,affine,nmi-bspline,default",
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="Folder for everything; rows in it are kept.",
            metavar="DIR",
            callback=check_folder,
        ),
    ] = None,
    split: Annotated[
        Path | None,
        typer.Option("--split", help="A table of names and parts.", metavar="FILE"),
    ] = None,
    part: Annotated[str, typer.Option("--part", help="Which part of the split.")] = "test",
    every: Annotated[
        int, typer.Option("--every", help="Register one slice in this many.", min=1, metavar="N")
    ] = 1,
    tune: Annotated[
        int | None,
        typer.Option(
            "--tune",
            help="Also tune runs of train sar to each pair, in at most N iterations, 10 to 30.",
            metavar="N",
        ),
    ] = None,
    network_px: Annotated[
        int | None,
        typer.Option(
            "--network-px",
            help="Show runs the tissue's longer side in so many pixels.  [default: as trained]",
            metavar="PX",
        ),
    ] = None,
    device: Annotated[DeviceChoice, typer.Option("--device", help="For networks.")] = "auto",
    json: JsonOption = False,
) -> None:
    """Register paired slices and score Dice, surface distances, landmarks and folds.

    Slices lie about on each other as given; every method starts from there. Methods: identity,
    affine, nmi-bspline, elastix (pip install 'stainbridge[peers]'), fast, default, accurate, and
    runs of train sbr, train sar or train deformable. A failed method counts as before. DIR receives
    rows.csv, summary.csv and a grid of pictures. The same command resumes an interrupted one.

    \b
    Example:
        stainbridge evaluate slices --data allen_slices --methods identity,nmi-bspline,sbr-run \\
            --split allen.csv --part test --out scores
    """
    job = EvaluateSlicesJob(
        data=tuple(data),
        methods=split_names(methods),
        out=out,
        split=split,
        part=part,
        every=every,
        tune=tune,
        network_px=network_px,
        device=device,
    )
    with show_progress() as progress:
        outcome = job.run(progress, say)
    if json:
        summaries = [asdict(summary) for summary in outcome.summaries]
        print_json({"out": outcome.folder, "rows": len(outcome.rows), "summaries": summaries})
        return
    from stainbridge.evaluate.slices.tables import format_text

    for table in outcome.tables:
        print(f"{table.data_set}\n{format_text(table)}\n")
    if outcome.folder is not None:
        print(f"written: {outcome.folder}")
