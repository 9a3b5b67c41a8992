"""How far a command is: a bar on a terminal, lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from stainbridge.cli.progress_lines import progress_lines
from stainbridge.progress import Progress

#: Seconds until the first line where standard error is no terminal, and between lines.
FIRST_LINE_S = 2.0
LINE_EVERY_S = 10.0


@contextmanager
def show_progress() -> Iterator[Progress]:
    """Hand out a callback that shows on standard error how far a command is.

    On a terminal it is a bar. Elsewhere it is a line every ten seconds, for what takes longer than
    two seconds.
    """
    if not sys.stderr.isatty():
        with progress_lines(FIRST_LINE_S, LINE_EVERY_S) as progress:
            yield progress
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as ProgressBar

    columns = (TextColumn("{task.description:<24}"), BarColumn(), TimeElapsedColumn())
    with ProgressBar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=1.0)
        yield lambda name, fraction: bar.update(task, description=name, completed=fraction)
