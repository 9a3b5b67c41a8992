"""Threads that do the newest work first: what was asked for last is what is looked at now."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from threading import Condition, Thread
from typing import Any, TypeVar

from stainbridge.errors import InputError

ResultT = TypeVar("ResultT")
_Work = tuple[Future[Any], Callable[[], Any]]


class NewestFirstPool:
    """A few threads that take the newest work first; cancelled work is never begun.

    Raises `InputError` for less than one thread.
    """

    def __init__(self, threads: int) -> None:
        if threads < 1:
            raise InputError("a pool needs at least one thread", expected=">= 1", got=threads)
        self._stack: list[_Work] = []
        self._changed = Condition()
        self._closed = False
        self._threads = [Thread(target=self._run, daemon=True) for _ in range(threads)]
        for thread in self._threads:
            thread.start()

    def submit(self, work: Callable[[], ResultT]) -> Future[ResultT]:
        """Put `work` on top; the future has its result. After `close` it is cancelled."""
        future: Future[ResultT] = Future()
        with self._changed:
            if self._closed:
                future.cancel()
            else:
                self._stack.append((future, work))
                self._changed.notify()
        return future

    def close(self) -> None:
        """Cancel what is not begun, and wait for what is."""
        with self._changed:
            self._closed = True
            waiting = self._stack
            self._stack = []
            self._changed.notify_all()
        for future, _ in waiting:
            future.cancel()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while (taken := self._take()) is not None:
            future, work = taken
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(work())
            except BaseException as error:
                future.set_exception(error)

    def _take(self) -> _Work | None:
        """Wait for work and return it; None when the pool is closed."""
        with self._changed:
            while not self._stack and not self._closed:
                self._changed.wait()
            return self._stack.pop() if self._stack else None
