"""`stainbridge demo`: every main output from generated tissue, measured against the exact truth."""

from __future__ import annotations

import shlex
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stainbridge.cli.options import check_folder
from stainbridge.cli.output import is_attended, say
from stainbridge.cli.progress import show_progress
from stainbridge.errors import RegistrationError
from stainbridge.jobs.demo import DemoJob, DemoOutcome

if TYPE_CHECKING:
    from stainbridge.metrics.landmarks import ErrorTable


def demo(
    out: Annotated[
        Path,
        typer.Option(
            "--out", help="The folder for everything.", metavar="DIR", callback=check_folder
        ),
    ] = Path("demo-out"),
    size_px: Annotated[
        int, typer.Option("--size", help="Side of the slides in pixels.", min=400)
    ] = 2400,
    seed: Annotated[int, typer.Option("--seed", help="Which tissue.", min=0)] = 1,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an earlier demo in DIR.")
    ] = False,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Do not open the report.")
    ] = False,
) -> int:
    """Generate two stained sections, register them, measure the error, and stain virtually.

    The second section is rotated, mirrored, stretched and torn. DIR receives both slides, the
    transform, the warped slide, warped annotations and the report. It also receives a detail of the
    H&E slide in PanCK, as a network that comes with stainbridge translates it and as it was
    generated.

    \b
    Example:
        stainbridge demo --out demo-out
    """
    job = DemoJob(out=out, size_px=size_px, seed=seed, overwrite=overwrite)
    with show_progress() as progress:
        outcome = job.run(progress, say)
    if outcome.status == "failed":
        print(f"failed: {outcome.reason}")
        return RegistrationError.exit_code
    print(summary(outcome))
    if not no_browser and is_attended():
        webbrowser.open(outcome.report.absolute().as_uri())
    return 0


def summary(outcome: DemoOutcome) -> str:
    """Return the outcome in a few lines for people."""
    lines = [f"{outcome.status} after {outcome.registration_seconds:.1f} s"]
    if outcome.scores is not None:
        lines.append(f"error against the exact truth at {outcome.scores.n} points of the tissue:")
        lines.append(f"  before  {_error_line(outcome.scores.before)}")
        lines.append(f"  after   {_error_line(outcome.scores.after)}")
    lines.append(f"written: {outcome.folder}; look at {outcome.report}")
    lines.append(
        f"see both stains in the browser: stainbridge view {shlex.quote(str(outcome.folder))}"
    )
    return "\n".join(lines)


def _error_line(errors: ErrorTable) -> str:
    return (
        f"median {errors.tre_um.median:8.1f} µm  max {errors.tre_um.max:8.1f} µm"
        f"  median rTRE {errors.rtre.median:.5f}"
    )
