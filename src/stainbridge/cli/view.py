"""`stainbridge view`: results, cohorts and slides in a browser, warped as one looks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stainbridge.cli.output import is_attended, say
from stainbridge.jobs.view import ViewJob


def view(
    paths: Annotated[
        list[Path],
        typer.Argument(
            help="Folders of registrations, one folder of such folders, or slides.",
            metavar="RESULT|COHORT|SLIDE...",
        ),
    ],
    port: Annotated[
        int | None,
        typer.Option(
            "--port",
            help="The port to listen on.  [default: 8642, or any that is free]",
            min=1,
            max=65535,
        ),
    ] = None,
    host: Annotated[
        str, typer.Option("--host", help="The address to listen on; 0.0.0.0 lets others in.")
    ] = "127.0.0.1",
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Do not open a browser.")
    ] = False,
) -> int:
    """Look at aligned slides in a browser, and correct and judge the alignment.

    The moving slide is warped as you look, at the level you look at; nothing is written. A result
    shows both slides; several results of one fixed slide show all of them. A folder of results is
    a list to judge. Slides that are not registered are laid corner on corner.

    \b
    Example:
        stainbridge view result
        stainbridge view cohort-out --port 9000
        stainbridge view he.svs ki67.svs --no-browser
    """
    browser = not no_browser and is_attended()
    ViewJob(paths=tuple(paths), port=port, host=host, browser=browser).run(note=say)
    say("stopped")
    return 0
