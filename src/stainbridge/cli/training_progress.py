"""What a training shows of its steps: a bar on a terminal, a line every half minute elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from stainbridge.cli.progress_lines import progress_lines
from stainbridge.progress import Progress

#: Seconds between two lines where standard error is no terminal.
LINE_EVERY_S = 30.0


@contextmanager
def training_progress(every_s: float = LINE_EVERY_S) -> Iterator[Progress]:
    """Hand out a callback that shows how a training goes on standard error.

    On a terminal it is a progress bar with all numbers. Elsewhere it is a line every 30 seconds,
    also while nothing new is reported.
    """
    if sys.stderr.isatty():
        with _wrapped_bar() as progress:
            yield progress
        return
    with progress_lines(every_s, every_s) as progress:
        yield progress


@contextmanager
def _wrapped_bar() -> Iterator[Progress]:
    """Hand out a callback that draws a bar whose long text takes as many lines as it needs."""
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as ProgressBar
    from rich.table import Column

    text = TextColumn("{task.description}", table_column=Column(ratio=1))
    columns = (BarColumn(bar_width=16), TimeElapsedColumn(), text)
    with ProgressBar(*columns, console=Console(stderr=True), transient=True, expand=True) as bar:
        task = bar.add_task("", total=1.0)
        yield lambda name, fraction: bar.update(task, description=name, completed=fraction)
