"""Interruption by Ctrl-C or a scheduler's SIGTERM at the end of a step."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def catch_interrupts() -> Iterator[Callable[[], bool]]:
    """Provide a function that says whether SIGINT or SIGTERM has come.

    A second SIGINT interrupts at once. In a thread other than the main one, signals are left as
    they are; so are signals that the process ignores.
    """
    interrupted = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield interrupted.is_set
        return

    def handle(number: int, frame: FrameType | None) -> None:  # noqa: ARG001  # as signal wants it
        if interrupted.is_set():
            raise KeyboardInterrupt
        interrupted.set()

    heard = [
        number
        for number in (signal.SIGINT, signal.SIGTERM)
        if signal.getsignal(number) is not signal.SIG_IGN
    ]
    former_handlers = {number: signal.signal(number, handle) for number in heard}
    try:
        yield interrupted.is_set
    finally:
        for number, handler in former_handlers.items():
            signal.signal(number, handler)
