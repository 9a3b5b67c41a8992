"""`stainbridge cohort`: many registrations, that can be interrupted at any moment."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from stainbridge.cli.cohort_watch import watch_cohort
from stainbridge.cli.options import (
    JsonOption,
    MaxRotationOption,
    NoFlipOption,
    PipelineOption,
    SeedOption,
    check_folder,
)
from stainbridge.cli.output import print_json, say
from stainbridge.cohort.init import CohortInitJob
from stainbridge.cohort.job import CohortJob, PlannedRow
from stainbridge.cohort.options import CaseOptions, Limits
from stainbridge.cohort.running.cluster import LOCAL
from stainbridge.cohort.task import Finished
from stainbridge.compute import DeviceChoice
from stainbridge.errors import RegistrationError
from stainbridge.jobs.register import RegisterPresetChoice

if TYPE_CHECKING:
    from stainbridge.cohort.outcome import CohortOutcome

LIMITS = Limits()


#: The verb that runs a manifest; it need not be said.
RUN = "run"


class CohortGroup(TyperGroup):
    """A group whose first word is a manifest, unless it is one of its verbs."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the verb that runs a manifest before anything that is no verb."""
        ctx.obj = tuple(args)
        is_verb = bool(args) and args[0] in self.commands
        return super().parse_args(ctx, args if is_verb else [RUN, *args])

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the verb; the one that runs a manifest has no name in messages."""
        name, command, rest = super().resolve_command(ctx, args)
        return ("" if name == RUN else name), command, rest


app = typer.Typer(cls=CohortGroup, rich_markup_mode=None, help="Register all cases of a manifest.")


@app.callback()
def cohort() -> None:
    """Register all cases of a manifest."""


@app.command(RUN)
def run(
    context: typer.Context,
    manifest: Annotated[
        Path, typer.Argument(help="A CSV with a row for each case.", metavar="MANIFEST.csv")
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out", help="The folder for the cohort.", metavar="DIR", callback=check_folder
        ),
    ],
    scheduler: Annotated[
        str,
        typer.Option(
            "--scheduler", help="local, or the address of a Dask scheduler.", metavar="ADDRESS"
        ),
    ] = LOCAL,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers", help="Cases at a time on this machine.  [default: one a core]", min=1
        ),
    ] = None,
    preset: Annotated[
        RegisterPresetChoice | None,
        typer.Option("--preset", help="How much work a case is.  [default: default]"),
    ] = None,
    pipeline: PipelineOption = None,
    device: Annotated[DeviceChoice, typer.Option("--device", help="Where to compute.")] = "cpu",
    threads: Annotated[int, typer.Option("--threads", help="CPU threads of a case.", min=1)] = 1,
    seed: SeedOption = None,
    no_flip: NoFlipOption = False,
    max_rotation_deg: MaxRotationOption = None,
    write_slides: Annotated[
        bool, typer.Option("--write-slides", help="Write the warped slide of every case.")
    ] = False,
    no_report: Annotated[
        bool, typer.Option("--no-report", help="Leave out report.html of the cases.")
    ] = False,
    time_s: Annotated[
        float,
        typer.Option("--time-limit", help="Most seconds that a case may take.", metavar="S"),
    ] = LIMITS.time_s,
    memory_gb: Annotated[
        float,
        typer.Option("--memory-limit", help="Most memory that a case may take.", metavar="GB"),
    ] = LIMITS.memory_gb,
    resume: Annotated[  # noqa: ARG001 - scripts may say it; the same command always resumes
        bool, typer.Option("--resume", help="Resume an interrupted run, as always.")
    ] = False,
    retry_failed: Annotated[
        bool,
        typer.Option(
            "--retry-failed", help="Run cases again that a limit, a kill or an error ended."
        ),
    ] = False,
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="Run cases again whose slides or settings have changed."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything, say what is left, and stop.")
    ] = False,
    plan: Annotated[
        bool, typer.Option("--plan", help="Print the command of each row that is left, and stop.")
    ] = False,
    row: Annotated[
        int | None,
        typer.Option("--row", help="Run this row alone, from 1, without Dask.", metavar="N"),
    ] = None,
    json: JsonOption = False,
) -> int:
    """Register every case of a manifest, on all cores or on a cluster.

    DIR receives a folder for each case, cohort.csv with what became of it, and status.json with
    how far the run is. A case that fails or hangs is named and stops no other. The same command
    again resumes: what is finished is not repeated. The exit code is 0 where at least one case has
    a result, else 3. The word run may be left out.

    \b
    Example:
        stainbridge cohort run slides.csv --out cohort
        stainbridge cohort slides.csv --out cohort --workers 2 --preset fast
        stainbridge cohort slides.csv --out cohort --scheduler tcp://node1:8786
    """
    job = CohortJob(
        manifest=manifest,
        out=out,
        options=CaseOptions(
            preset=preset,
            pipeline=pipeline,
            device=device,
            threads=threads,
            seed=seed,
            allow_flip=not no_flip,
            max_rotation_deg=max_rotation_deg,
            write_slides=write_slides,
            report=not no_report,
        ),
        limits=Limits(time_s=time_s, memory_gb=memory_gb),
        scheduler=scheduler,
        workers=workers,
        retry_failed=retry_failed,
        overwrite=overwrite,
    )
    if plan or dry_run:
        return show_plan(job.plan(), context.obj, is_dry=dry_run, json=json)
    if row is not None:
        return show_row(job.run_row(row, say), json=json)
    with watch_cohort() as watch:
        outcome = job.run(watch, say)
    if json:
        print_json(describe(outcome))
    else:
        print(summarise(outcome))
    return 0 if outcome.succeeded else RegistrationError.exit_code


def show_plan(rows: Sequence[PlannedRow], words: Sequence[str], *, is_dry: bool, json: bool) -> int:
    """Print what is left to run: the rows as commands, or their number alone."""
    own = [word for word in words if word not in ("--plan", "--dry-run", "--json")]
    commands = [
        shlex.join(["stainbridge", "cohort", *own, "--row", str(row.number)]) for row in rows
    ]
    if json:
        listed = [
            {"row": row.number, "case": row.id, "needs": list(row.needs), "command": command}
            for row, command in zip(rows, commands, strict=True)
        ]
        print_json({"rows": listed})
    elif is_dry:
        print(f"cases to run: {len(rows)}")
    else:
        for command in commands:
            print(command)
    return 0


def show_row(finished: Finished, *, json: bool) -> int:
    """Print what became of one case."""
    if json:
        print_json(finished.to_json())
    else:
        reason = f": {finished.reason}" if finished.reason else ""
        print(f"{finished.id}: {finished.status}{reason}")
    return RegistrationError.exit_code if finished.status == "failed" else 0


@app.command("init")
def init(
    folder: Annotated[Path, typer.Argument(help="Where the slides are.", metavar="FOLDER")],
    pattern: Annotated[
        str,
        typer.Option("--pattern", help="Names of slides, with {case} and {stain}; * is anything."),
    ],
    out: Annotated[
        Path, typer.Option("--out", help="The manifest to write.", metavar="MANIFEST.csv")
    ],
    fixed: Annotated[
        str, typer.Option("--fixed", help="The stain that stays in place.", metavar="STAIN")
    ] = "he",
    blocks: Annotated[
        bool, typer.Option("--blocks", help="Write blocks of slides instead of pairs.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an existing manifest.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Make a manifest from the slides of a folder, by a pattern of their names.

    \b
    Example:
        stainbridge cohort init slides --pattern '{case}_{stain}.svs' --out slides.csv
        stainbridge cohort init slides --pattern '{case}/*_{stain}.ndpi' --fixed HE --out slides.csv
    """
    outcome = CohortInitJob(
        folder=folder, pattern=pattern, out=out, fixed=fixed, blocks=blocks, overwrite=overwrite
    ).run()
    if outcome.skipped:
        say(f"left out, without {fixed} or another stain: {', '.join(outcome.skipped)}")
    if json:
        print_json({"out": str(out), "rows": outcome.rows, "left_out": list(outcome.skipped)})
    else:
        print(f"{outcome.rows} rows: {out}")


def summarise(outcome: CohortOutcome) -> str:
    """Return the outcome in a few lines for people."""
    counts = outcome.progress.statuses
    lines = [
        f"cases: {len(outcome.cases)}; ok {counts['ok']}, fallback {counts['fallback']},"
        f" failed {counts['failed']}"
    ]
    lines += [f"failed: {item.id}: {item.reason}" for item in outcome.list_failed()]
    return "\n".join([*lines, f"written: {outcome.folder}"])


def describe(outcome: CohortOutcome) -> dict[str, Any]:
    """Return the outcome as one JSON object."""
    counts = outcome.progress.statuses
    return {
        "out": str(outcome.folder),
        "cases": len(outcome.cases),
        "ok": counts["ok"],
        "fallback": counts["fallback"],
        "failed": counts["failed"],
        "failures": [
            {"case": item.id, "failure": item.kind, "reason": item.reason}
            for item in outcome.list_failed()
        ],
        "seconds": outcome.progress.seconds,
        "already_done": outcome.is_already_done,
    }
