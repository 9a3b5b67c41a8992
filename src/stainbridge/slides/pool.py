"""Slides kept open while several callers read them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Generic, Protocol, TypeVar

from stainbridge.errors import InputError
from stainbridge.slides.closing import ClosedByWith


class Closeable(Protocol):
    """A slide, or anything that holds slides and closes them."""

    def close(self) -> None:
        """Release what it holds open."""
        ...


KeyT = TypeVar("KeyT", bound=Hashable)
OpenedT = TypeVar("OpenedT", bound=Closeable)


@dataclass(eq=False)
class _Entry(Generic[OpenedT]):
    opened: Future[OpenedT] = field(default_factory=Future)
    borrowers: int = 0


class SlidePool(ClosedByWith, Generic[KeyT, OpenedT]):
    """At most `capacity` slides kept open; the one unused for longest is closed first.

    `open_key(key)` opens what is missing: a slide for its path, say, or a pair of slides for its
    number. Thread-safe: a key wanted by several threads at once is opened once, and what is
    borrowed is not closed before it is returned, even if more than `capacity` are borrowed.

    A pool pickles as `open_key` and `capacity`; the copy opens its own slides. After `close` it
    may be used again. Raises `InputError` for a capacity below one.
    """

    def __init__(self, open_key: Callable[[KeyT], OpenedT], capacity: int) -> None:
        if capacity < 1:
            raise InputError("a pool keeps at least one slide open", expected=">= 1", got=capacity)
        self._open_key = open_key
        self._capacity = capacity
        self._entries: OrderedDict[KeyT, _Entry[OpenedT]] = OrderedDict()
        self._lock = Lock()

    def __reduce__(self) -> tuple[Any, ...]:
        return SlidePool, (self._open_key, self._capacity)

    @contextmanager
    def borrow(self, key: KeyT) -> Iterator[OpenedT]:
        """Lend what is open for `key`, opened now where it is not; it stays open meanwhile.

        Raises what opening raises; the key is then tried anew the next time.
        """
        entry, is_new = self._enter(key)
        try:
            if is_new:
                self._fill(key, entry)
            yield entry.opened.result()
        finally:
            self._give_back(entry)

    def close(self) -> None:
        """Close everything that is not borrowed, and the rest when it is returned."""
        with self._lock:
            entries = list(self._entries.values())
            self._entries.clear()
            idle = [entry for entry in entries if entry.borrowers == 0]
        _close_all(idle)

    def _enter(self, key: KeyT) -> tuple[_Entry[OpenedT], bool]:
        """Count one more borrower of `key`; say whether its entry is new and has to be filled."""
        with self._lock:
            entry = self._entries.get(key)
            is_new = entry is None
            if entry is None:
                entry = self._entries[key] = _Entry()
            self._entries.move_to_end(key)
            entry.borrowers += 1
            return entry, is_new

    def _fill(self, key: KeyT, entry: _Entry[OpenedT]) -> None:
        """Open `key`, once there is room for it."""
        try:
            with self._lock:
                surplus = self._pop_surplus()
            _close_all(surplus)
            entry.opened.set_result(self._open_key(key))
        except BaseException as error:
            with self._lock:
                if self._entries.get(key) is entry:
                    del self._entries[key]
            entry.opened.set_exception(error)

    def _give_back(self, entry: _Entry[OpenedT]) -> None:
        with self._lock:
            entry.borrowers -= 1
            in_pool = any(entry is other for other in self._entries.values())
            surplus = self._pop_surplus()
            if not in_pool and entry.borrowers == 0:
                surplus.append(entry)
        _close_all(surplus)

    def _pop_surplus(self) -> list[_Entry[OpenedT]]:
        """Drop what is not borrowed, longest unused first, until `capacity` entries are left."""
        surplus = []
        for key, entry in list(self._entries.items()):
            if len(self._entries) <= self._capacity:
                break
            if entry.borrowers == 0:
                surplus.append(self._entries.pop(key))
        return surplus


def _close_all(entries: list[_Entry[Any]]) -> None:
    for entry in entries:
        if entry.opened.exception() is None:
            entry.opened.result().close()
