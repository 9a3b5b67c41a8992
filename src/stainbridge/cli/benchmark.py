"""`stainbridge benchmark`: methods measured beside each other on cases with known landmarks."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stainbridge.cli.output import print_json, progress_bar, say
from stainbridge.errors import InputError

if TYPE_CHECKING:
    from stainbridge.datasets.layouts import DataSet
    from stainbridge.evaluate.benchmark import BenchmarkPlan
    from stainbridge.evaluate.row import Row
    from stainbridge.evaluate.starts import StartKind
    from stainbridge.evaluate.summary import MethodSummary

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Measure methods beside each other."
)


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
            "--out", help="The folder for everything; runs in it are kept.", metavar="DIR"
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
    n_starts: Annotated[
        int, typer.Option("--n-starts", help="Hard starts for each case.", min=1, metavar="N")
    ] = 12,
    both: Annotated[
        bool, typer.Option("--both-directions", help="Every pair the other way round, too.")
    ] = False,
    timeout: Annotated[
        float, typer.Option("--timeout", help="Seconds for each registration.", min=0.1)
    ] = 600.0,
    workers: Annotated[
        int, typer.Option("--workers", help="Runs at a time; 1 for honest seconds.", min=1)
    ] = 1,
    seed: Annotated[
        int, typer.Option("--seed", help="What hard starts are drawn from.", min=0)
    ] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Register every case with every method from every start, each in its own process, and compare
    landmark errors.

    Data sets: pairs.csv, ANHIR, ACROBAT, HyReCo. Methods: identity, fast, default, accurate, sift,
    orb, simpleitk-affine, simpleitk-bspline, elastix (pip install 'stainbridge[peers]'); ants,
    valis, deeperhistreg run in environments of their own, whose Python STAINBRIDGE_ANTS_PYTHON and
    so on name; MODULE:FUNCTION is your own. DIR receives results.csv, benchmark.html and ANHIR
    submissions. Run again, it goes on where it stopped.

    \b
    Example:
        stainbridge benchmark landmarks pairs.csv --methods identity,default,sift \\
            --starts given,hard --out bench
    """
    from stainbridge.datasets.layouts import read_data_set
    from stainbridge.evaluate.benchmark import run_benchmark
    from stainbridge.evaluate.ledger import read_rows

    data_sets = by_name([read_data_set(path) for path in data])
    plan = _plan(data_sets, methods, start_kinds, n_starts, both, timeout, workers, seed)
    with progress_bar() as progress:
        run_benchmark(plan, out, progress)
    _report(out, read_rows(out), _command(data, plan, out), json)


@app.command("join")
def join(
    folders: Annotated[
        list[Path], typer.Argument(help="Folders of benchmark landmarks.", metavar="DIR...")
    ],
    out: Annotated[
        Path,
        typer.Option("--out", help="The folder for all of it; runs in it are kept.", metavar="DIR"),
    ],
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Put benchmark folders into one: methods run on several machines or days, in one table and on
    one page.

    They must have seed, hard starts, time limit, version, settings of methods and landmarks in
    common. A run that stands in several is taken from the first. `benchmark landmarks` goes on in
    the joined folder. A folder whose benchmark still runs can be joined, too, for a look at what
    there is.

    \b
    Example:
        stainbridge benchmark join bench-laptop bench-cluster --out bench-all
    """
    from stainbridge.evaluate.join import join as join_folders

    rows = join_folders(folders, out)
    words = ["stainbridge", "benchmark", "join", *map(str, folders), "--out", str(out)]
    _report(out, rows, shlex.join(words), json)


def _report(out: Path, rows: list[Row], command: str, json: bool) -> None:
    """All rows of a folder: tables, submissions, the page, and the summary on the terminal."""
    from stainbridge.evaluate.page import PAGE, write_page
    from stainbridge.evaluate.summary import summarise
    from stainbridge.evaluate.tables import RESULTS, write_results, write_submissions

    write_results(out / RESULTS, rows)
    write_submissions(out, rows)
    write_page(out, rows, command)
    _say_troubles(rows)
    summaries = summarise(rows)
    if json:
        print_json(
            {"out": str(out), "runs": len(rows), "summaries": [asdict(item) for item in summaries]}
        )
    else:
        show(summaries)
        print(f"written: {out}; look at {out / PAGE}")


def by_name(data_sets: list[DataSet]) -> dict[str, DataSet]:
    """The data sets by their names; raises `InputError` when two have the same."""
    named = {data_set.name: data_set for data_set in data_sets}
    if len(named) < len(data_sets):
        names = ", ".join(data_set.name for data_set in data_sets)
        raise InputError(
            "two data sets have the same name",
            expected="folders with names of their own",
            got=names,
        )
    return named


def _plan(
    data_sets: dict[str, DataSet],
    methods: str,
    start_kinds: str,
    n_starts: int,
    both: bool,
    timeout: float,
    workers: int,
    seed: int,
) -> BenchmarkPlan:
    from stainbridge.evaluate.benchmark import BenchmarkPlan

    cases = {name: data_set.cases for name, data_set in data_sets.items()}
    roots = {name: data_set.root for name, data_set in data_sets.items()}
    return BenchmarkPlan(
        cases, _listed(methods), _kinds(start_kinds), n_starts, seed, timeout, workers, both, roots
    )


def _kinds(text: str) -> tuple[StartKind, ...]:
    from stainbridge.evaluate.starts import START_KINDS

    names = _listed(text)
    for name in names:
        if name not in START_KINDS:
            raise InputError(
                "no such start", where=f"--starts {text}", expected=" or ".join(START_KINDS), got=name
            )
    return tuple(kind for kind in START_KINDS if kind in names)


def _listed(text: str) -> tuple[str, ...]:
    """Names between commas, each once."""
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not names:
        raise InputError("no names", expected="names separated by commas", got=repr(text))
    return names


def _command(data: list[Path], plan: BenchmarkPlan, out: Path) -> str:
    words = ["stainbridge", "benchmark", "landmarks", *map(str, data)]
    words += ["--methods", ",".join(plan.methods), "--starts", ",".join(plan.kinds)]
    if "hard" in plan.kinds:
        words += ["--n-starts", str(plan.hard_starts), "--seed", str(plan.seed)]
    words += ["--both-directions"] if plan.both_directions else []
    return shlex.join([*words, "--timeout", f"{plan.timeout_s:g}", "--out", str(out)])


def _say_troubles(rows: list[Row]) -> None:
    for status in ("unreadable", "crashed", "timeout", "failed"):
        some = [row for row in rows if row.status == status]
        if some:
            first = some[0]
            about = f"{first.method} on {first.case}, {first.start}: {first.reason}"
            say(f"{status}: {len(some)} run{'s' if len(some) > 1 else ''}; {about}")


def show(summaries: list[MethodSummary]) -> None:
    """The table on the terminal."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    console = Console()
    console = console if console.is_terminal else Console(width=100)
    for kind in dict.fromkeys(item.kind for item in summaries):
        table = Table("method", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
        for head in (
            "runs",
            "none",
            "MMrTRE",
            "AMrTRE",
            "success",
            "robust",
            "rank",
            "s",
            "cpu s",
            "MB",
        ):
            table.add_column(head, justify="right", no_wrap=True)
        for item in summaries:
            if item.kind == kind:
                table.add_row(item.method, *cells(item))
        console.print(f"starts: {kind}")
        console.print(table)


def cells(item: MethodSummary) -> tuple[str, ...]:
    """The numbers of a method as words."""
    scores = item.scores
    return (
        str(scores.cases),
        str(scores.missing or ""),
        f"{scores.mmrtre:.4f}",
        f"{scores.amrtre:.4f}",
        f"{item.success:.1%}",
        f"{scores.robustness:.1%}",
        "" if item.rank is None else f"{item.rank:.2f}",
        "" if item.seconds is None else f"{item.seconds:.2f}",
        "" if item.cpu_s is None else f"{item.cpu_s:.2f}",
        "" if item.peak_mb is None else f"{item.peak_mb:.0f}",
    )
