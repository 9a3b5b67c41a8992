from __future__ import annotations

from concurrent.futures import CancelledError
from threading import Event

import pytest

from stainbridge.errors import InputError
from stainbridge.viewer.newest_first import NewestFirstPool


def test_the_newest_work_is_done_first_and_cancelled_work_never() -> None:
    pool = NewestFirstPool(1)
    begun, free = Event(), Event()
    done: list[int] = []

    def block() -> None:
        begun.set()
        free.wait()

    pool.submit(block)
    begun.wait()
    futures = [pool.submit(lambda number=number: done.append(number)) for number in range(5)]
    futures[2].cancel()
    free.set()
    futures[0].result()
    assert done == [4, 3, 1, 0]
    pool.close()


def test_what_work_raises_is_raised_and_the_thread_lives_on() -> None:
    pool = NewestFirstPool(1)
    with pytest.raises(ZeroDivisionError):
        pool.submit(lambda: 1 // 0).result()
    assert pool.submit(lambda: 7).result() == 7
    pool.close()


def test_closing_cancels_what_waits_and_what_comes_later() -> None:
    pool = NewestFirstPool(1)
    begun, free = Event(), Event()
    running = pool.submit(lambda: (begun.set(), free.wait(), 1)[-1])
    begun.wait()
    waiting = pool.submit(lambda: 2)
    free.set()
    pool.close()
    assert running.result() == 1
    late = pool.submit(lambda: 3)
    assert late.cancelled()
    if waiting.cancelled():
        with pytest.raises(CancelledError):
            waiting.result()


def test_a_pool_without_threads_is_refused() -> None:
    with pytest.raises(InputError, match="at least one"):
        NewestFirstPool(0)
