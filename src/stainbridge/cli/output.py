"""What a command says: results on standard output, everything else on standard error."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeAlias

Progress: TypeAlias = Callable[
    [str, float], None
]  # what is being done, and the fraction done, 0 to 1


def say(message: str) -> None:
    """One line on standard error."""
    print(message, file=sys.stderr, flush=True)


def print_json(result: Mapping[str, Any]) -> None:
    """One JSON object on standard output; numbers that are not finite become null, which JSON has a
    word for.
    """
    from stainbridge.json_values import format_json

    print(format_json(dict(result)))


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """A callback that draws a progress bar on standard error, or nothing when that is not a
    terminal.
    """
    if not sys.stderr.isatty():
        yield lambda task, fraction: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description:<24}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=1.0)
        yield lambda name, fraction: bar.update(task, description=name, completed=fraction)
