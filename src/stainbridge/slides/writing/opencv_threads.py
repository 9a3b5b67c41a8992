"""OpenCV's own threads, turned off while ours keep the cores busy: the two get in each other's way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

import cv2


class _Holders:
    """How many hold OpenCV to one thread, and what to give back when the last one lets go."""

    count = 0
    threads_before = 0
    lock = Lock()


@contextmanager
def single_threaded_opencv() -> Iterator[None]:
    """Hold OpenCV, in the whole process, to one thread a call; holders may overlap."""
    with _Holders.lock:
        if not _Holders.count:
            _Holders.threads_before = cv2.getNumThreads()
            cv2.setNumThreads(1)
        _Holders.count += 1
    try:
        yield
    finally:
        with _Holders.lock:
            _Holders.count -= 1
            if not _Holders.count:
                cv2.setNumThreads(_Holders.threads_before)
