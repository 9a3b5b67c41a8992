"""Turn off OpenCV's own threads while ours keep the cores busy: together they are slower."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

import cv2


class _Holders:
    """How many keep OpenCV at one thread, and the number to restore after the last of them."""

    count = 0
    threads_before = 0
    lock = Lock()


@contextmanager
def single_threaded_opencv() -> Iterator[None]:
    """Keep OpenCV, in the whole process, at one thread a call; callers may overlap."""
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
