"""Interruption by a signal that ends a run: at once, or at the end of a step."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from stainbridge.processes import ENDING_SIGNALS


class BrokenOffError(KeyboardInterrupt):
    """An interruption of work that may be broken off at any point."""


class Interrupts:
    """Whether a signal that ends a run has come, and what it breaks off."""

    def __init__(self) -> None:
        self.has_come = False
        self._breaks_off = False

    @contextmanager
    def break_off(self) -> Iterator[None]:
        """Raise `BrokenOffError` as soon as an interruption comes, or where one has come."""
        self._breaks_off = True
        try:
            if self.has_come:
                raise BrokenOffError
            yield
        finally:
            self._breaks_off = False

    def handle(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002  # as signal wants
        """Handle a signal; the second one always interrupts."""
        is_second = self.has_come
        self.has_come = True
        if self._breaks_off:
            raise BrokenOffError
        if is_second:
            raise KeyboardInterrupt


@contextmanager
def catch_interrupts() -> Iterator[Interrupts]:
    """Provide what says whether a signal that ends a run has come, instead of raising at once.

    In a thread other than the main one, signals are left as they are; so are signals that the
    process ignores.
    """
    interrupts = Interrupts()
    if threading.current_thread() is not threading.main_thread():
        yield interrupts
        return
    heard = [number for number in ENDING_SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    former_handlers = {number: signal.signal(number, interrupts.handle) for number in heard}
    try:
        yield interrupts
    finally:
        for number, handler in former_handlers.items():
            signal.signal(number, handler)
