"""`stainbridge benchmark`: methods measured beside each other on cases with known landmarks."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stainbridge.cli.benchmark_synthesis import synthesis
from stainbridge.cli.names import split_names
from stainbridge.cli.options import JsonOption, check_folder
from stainbridge.cli.output import print_json, say
from stainbridge.cli.progress import show_progress
from stainbridge.jobs.benchmark import BenchmarkJob, BenchmarkOutcome
from stainbridge.jobs.join_benchmarks import JoinBenchmarksJob

if TYPE_CHECKING:
    from stainbridge.evaluate.summary import MethodSummary

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Measure methods beside each other."
)

#: Heads of the columns of numbers, as `cells` returns them.
HEADS = ("runs", "none", "MMrTRE", "AMrTRE", "success", "robust", "rank", "s", "cpu s", "MB")


app.command("synthesis")(synthesis)


@app.callback()
def benchmark() -> None:
    """Measure methods beside each other."""


@app.command("landmarks")
def landmarks(
    data: Annotated[
        list[Path], typer.Argument(help="Tables or folders of data sets.", metavar="PAIRS.csv...")
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            help="The folder for everything; runs in it are kept.",
            metavar="DIR",
            callback=check_folder,
        ),
    ],
    methods: Annotated[
        str, typer.Option("--methods", help="Names, separated by commas.", metavar="M1,M2")
    ] = "identity,fast,default",
    start_kinds: Annotated[
        str,
        typer.Option(
            "--starts", help="given (as they are), hard (disturbed), or both.", metavar="given,hard"
        ),
    ] = "given",
    hard_starts: Annotated[
        int, typer.Option("--n-starts", help="Hard starts for each case.", min=1, metavar="N")
    ] = 12,
    both: Annotated[
        bool, typer.Option("--both-directions", help="Exchange fixed and moving too.")
    ] = False,
    timeout_s: Annotated[
        float, typer.Option("--timeout", help="Seconds for each registration.", min=0.1)
    ] = 600.0,
    workers: Annotated[
        int, typer.Option("--workers", help="Runs at a time; 1 measures times best.", min=1)
    ] = 1,
    seed: Annotated[
        int, typer.Option("--seed", help="What hard starts are drawn from.", min=0)
    ] = 0,
    json: JsonOption = False,
) -> None:
    """Register every case with every method from every start, and compare landmark errors.

    Each run has its own process. Data sets: pairs.csv, ANHIR, ACROBAT, HyReCo. Methods: identity,
    fast, default, accurate, sift, orb, simpleitk-affine, simpleitk-bspline, elastix (pip install
    'stainbridge[peers]'); ants, valis, deeperhistreg run in environments of their own, whose Python
    STAINBRIDGE_ANTS_PYTHON and so on name; MODULE:FUNCTION is your own. DIR receives results.csv,
    benchmark.html and ANHIR submissions. The same command resumes an interrupted benchmark.

    \b
    Example:
        stainbridge benchmark landmarks pairs.csv --methods identity,default,sift \\
            --starts given,hard --out bench
    """
    job = BenchmarkJob(
        data=tuple(data),
        out=out,
        methods=split_names(methods),
        starts=split_names(start_kinds),
        hard_starts=hard_starts,
        both_directions=both,
        timeout_s=timeout_s,
        workers=workers,
        seed=seed,
    )
    with show_progress() as progress:
        outcome = job.run(progress, say)
    _print_outcome(outcome, json)


@app.command("join")
def join(
    folders: Annotated[
        list[Path], typer.Argument(help="Folders of benchmark landmarks.", metavar="DIR...")
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            help="The folder for all of it; runs in it are kept.",
            metavar="DIR",
            callback=check_folder,
        ),
    ],
    json: JsonOption = False,
) -> None:
    """Join benchmark folders: runs of several machines or days in one table and on one page.

    They must have seed, hard starts, time limit, version, settings of methods and landmarks in
    common. A run that several folders hold is taken from the first. `benchmark landmarks` resumes
    in the joined folder. A folder whose benchmark still runs can be joined too.

    \b
    Example:
        stainbridge benchmark join bench-laptop bench-cluster --out bench-all
    """
    _print_outcome(JoinBenchmarksJob(folders=tuple(folders), out=out).run(note=say), json)


def _print_outcome(outcome: BenchmarkOutcome, json: bool) -> None:
    if json:
        print_json(
            {
                "out": str(outcome.folder),
                "runs": outcome.runs,
                "summaries": [asdict(summary) for summary in outcome.summaries],
            }
        )
    else:
        print_table(outcome.summaries)
        print(f"written: {outcome.folder}; look at {outcome.page}")


def print_table(summaries: tuple[MethodSummary, ...]) -> None:
    """Print a table for each kind of start."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    console = Console()
    console = console if console.is_terminal else Console(width=100)
    for kind in dict.fromkeys(summary.kind for summary in summaries):
        table = Table("method", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
        for head in HEADS:
            table.add_column(head, justify="right", no_wrap=True)
        for summary in summaries:
            if summary.kind == kind:
                table.add_row(summary.method, *cells(summary))
        console.print(f"starts: {kind}")
        console.print(table)


def cells(summary: MethodSummary) -> tuple[str, ...]:
    """Return the numbers of a method as text."""
    scores = summary.scores
    return (
        str(scores.cases),
        str(scores.missing or ""),
        f"{scores.mmrtre:.4f}",
        f"{scores.amrtre:.4f}",
        f"{summary.success:.1%}",
        f"{scores.robustness:.1%}",
        "" if summary.rank is None else f"{summary.rank:.2f}",
        "" if summary.seconds is None else f"{summary.seconds:.2f}",
        "" if summary.cpu_s is None else f"{summary.cpu_s:.2f}",
        "" if summary.peak_mb is None else f"{summary.peak_mb:.0f}",
    )
