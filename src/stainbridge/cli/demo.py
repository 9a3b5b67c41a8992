"""`stainbridge demo`: generated tissue in, every main output out, and the error against the exact truth."""

from __future__ import annotations

import os
import sys
import webbrowser
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stainbridge.cli.output import progress_bar
from stainbridge.errors import RegistrationError

if TYPE_CHECKING:
    from stainbridge.geometry.transform import Transform
    from stainbridge.metrics.landmarks import LandmarkScores
    from stainbridge.register.result import Registration
    from stainbridge.types import Points


def demo(
    out: Annotated[Path, typer.Option("--out", help="The folder for everything.", metavar="DIR")] = Path("demo-out"),
    size: Annotated[int, typer.Option("--size", help="Longer side of the sections in pixels.", min=256)] = 2000,
    seed: Annotated[int, typer.Option("--seed", help="Which tissue.", min=0)] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier demo in DIR.")] = False,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Do not open the report.")] = False,
) -> int:
    """Generate two stained sections, register them, and measure the result against the exact truth.

    The second section is turned, mirrored, stretched and torn. DIR receives both slides, the transform, the warped
    slide, annotations carried over and the report.

    \b
    Example:
        stainbridge demo --out demo-out
    """
    from stainbridge.cli.register import write_outputs

    ...
