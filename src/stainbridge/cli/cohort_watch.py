"""How far a cohort is: a live table on a terminal, one line a case elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from stainbridge.cli.output import say
from stainbridge.cohort.progress import CohortProgress, Watch

if TYPE_CHECKING:
    from rich.table import Table


@contextmanager
def watch_cohort() -> Iterator[Watch]:
    """Hand out a callback that shows the counts on standard error."""
    if not sys.stderr.isatty():
        yield lambda progress: say(format_line(progress))
        return
    from rich.console import Console
    from rich.live import Live

    with Live(console=Console(stderr=True), transient=True, refresh_per_second=2) as live:
        yield lambda progress: live.update(make_table(progress))


def format_line(progress: CohortProgress) -> str:
    """Return the case that ended last and the counts, in one line."""
    latest = progress.latest
    assert latest is not None
    reason = f": {latest.reason}" if latest.status != "ok" and latest.reason else ""
    width = len(str(progress.total))
    count = f"{progress.done:{width}}/{progress.total}"
    return f"{count} {latest.id} {latest.status} in {latest.seconds:.1f} s{reason}"


def make_table(progress: CohortProgress) -> Table:
    """Return the counts as a table for a terminal."""
    from rich.table import Table

    table = Table(show_header=False, title=f"{progress.done} of {progress.total} cases")
    table.add_column(style="dim")
    table.add_column()
    statuses = progress.statuses
    table.add_row("ok", str(statuses["ok"]))
    table.add_row("fallback", str(statuses["fallback"]))
    table.add_row("failed", str(statuses["failed"]))
    for kind, count in sorted(progress.failures.items()):
        table.add_row(f"  {kind}", str(count))
    table.add_row("rate", f"{progress.rate_per_hour:.0f} an hour")
    left = progress.left_s
    table.add_row("left", "" if left is None else format_duration(left))
    if progress.latest is not None:
        table.add_row("latest", f"{progress.latest.id} {progress.latest.status}")
    return table


def format_duration(seconds: float) -> str:
    """Return a duration in hours and minutes, or in seconds below two minutes."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"
