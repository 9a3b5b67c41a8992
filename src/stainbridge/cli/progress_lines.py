"""Progress as lines, where standard error is no terminal: in a script, a log or a notebook."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from stainbridge.cli.output import say
from stainbridge.progress import Progress


@contextmanager
def progress_lines(after_s: float, every_s: float) -> Iterator[Progress]:
    """Hand out a callback whose latest report is printed on standard error from time to time.

    Args:
        after_s: Seconds until the first line; work that takes less prints none.
        every_s: Seconds between lines, also while nothing new is reported.

    """
    latest = "preparing"
    ended = threading.Event()

    def report(name: str, fraction: float) -> None:
        nonlocal latest
        latest = f"{fraction:.0%} {name}"

    def print_lines() -> None:
        wait_s = after_s
        while not ended.wait(wait_s):
            say(latest)
            wait_s = every_s

    printer = threading.Thread(target=print_lines, daemon=True)
    printer.start()
    try:
        yield report
    finally:
        ended.set()
        printer.join()
