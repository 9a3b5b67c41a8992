"""`stainbridge benchmark synthesis`: does translating one slide first help to register it?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stainbridge.cli.names import split_names
from stainbridge.cli.options import JsonOption, check_folder
from stainbridge.cli.output import print_json, say
from stainbridge.cli.progress import show_progress
from stainbridge.compute import DeviceChoice
from stainbridge.jobs.benchmark_synthesis import (
    BenchmarkSynthesisJob,
    BenchmarkSynthesisOutcome,
    TranslateChoice,
)

if TYPE_CHECKING:
    from stainbridge.evaluate.synthesis.tables import SynthesisSummary


def synthesis(
    data: Annotated[
        list[Path],
        typer.Option("--data", help="A table or folder of a data set; may be repeated."),
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            help="The folder for everything; rows in it are kept.",
            metavar="DIR",
            callback=check_folder,
        ),
    ],
    methods: Annotated[
        str,
        typer.Option("--methods", help="Names, runs or NAME=RUN, with commas.", metavar="M1,M2"),
    ] = "identity,affine,multiscale-fcn,unet-svf,default",
    translators: Annotated[
        str,
        typer.Option(
            "--translators",
            help="real (the pair as it is), and runs of train translate: RUN or NAME=RUN.",
            metavar="real,RUN1,RUN2",
        ),
    ] = "real",
    translate: Annotated[
        TranslateChoice,
        typer.Option(
            "--translate", help="Which slide: the one in the run's source stain, or always one."
        ),
    ] = "auto",
    patch_px: Annotated[
        int, typer.Option("--patch", help="Side of a patch in pixels.", min=16, metavar="PX")
    ] = 256,
    mpp: Annotated[
        float | None,
        typer.Option("--mpp", help="Pixel size of patches in µm.  [default: full resolution]"),
    ] = None,
    min_tissue: Annotated[
        float, typer.Option("--min-tissue", help="Least share of tissue in a patch.", min=0)
    ] = 0.7,
    max_patches: Annotated[
        int, typer.Option("--max-patches", help="Patches of a slide, at most.", min=1)
    ] = 64,
    device: Annotated[
        DeviceChoice, typer.Option("--device", help="Where networks compute.")
    ] = "auto",
    json: JsonOption = False,
) -> None:
    """Compare registration of pairs as they are with that of pairs translated first.

    One slide of each pair is translated by each run, and each method registers what comes out.
    Methods: identity, affine (the global pre-alignment), the networks dirnet, fcn, multiscale-fcn
    and unet-svf by their weights, elastix and others of benchmark landmarks, all after the
    pre-alignment; fast, default and accurate as they are; any RUN that registers. DIR receives
    rows.csv and grids of pictures. The same command resumes an interrupted comparison.

    \b
    Example:
        stainbridge benchmark synthesis --data phantoms --methods multiscale-fcn,default \\
            --translators real,syn-1=cyclegan-run,syn-2=perceptual-run --out synthesis
    """
    job = BenchmarkSynthesisJob(
        data=tuple(data),
        out=out,
        methods=split_names(methods),
        translators=split_names(translators),
        translate=translate,
        patch_px=patch_px,
        mpp=mpp,
        min_tissue=min_tissue,
        max_patches=max_patches,
        device=device,
    )
    with show_progress() as progress:
        outcome = job.run(progress, say)
    _print_outcome(outcome, json)


def _print_outcome(outcome: BenchmarkSynthesisOutcome, json: bool) -> None:
    if json:
        print_json(
            {
                "out": str(outcome.folder),
                "rows": outcome.rows,
                "summaries": [asdict(summary) for summary in outcome.summaries],
            }
        )
    else:
        print_tables(outcome.summaries)
        print(f"written: {outcome.table}")


def print_tables(summaries: Sequence[SynthesisSummary]) -> None:
    """Print the tables of patches, blocks and landmarks of each data set."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    from stainbridge.evaluate.synthesis.tables import TABLES, tabulate

    console = Console()
    console = console if console.is_terminal else Console(width=120)
    for data_set in dict.fromkeys(summary.data_set for summary in summaries):
        own = [summary for summary in summaries if summary.data_set == data_set]
        for title, measures in TABLES.items():
            known, lines = tabulate(own, measures)
            if not known:
                continue
            table = Table("method", "data", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
            for head in ("cases", "failed", *(measures[name] for name in known)):
                table.add_column(head, justify="right")
            for line in lines:
                table.add_row(*line)
            console.print(f"{data_set}: {title}")
            console.print(table)
