"""Devices, thread limits that count their holders, and work spread over threads."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from queue import Queue
from threading import Event, Thread, current_thread, get_ident, local
from typing import Any

import cv2
import pytest
import torch

from stainbridge.compute import (
    ComputeContext,
    ThreadLimit,
    available_cores,
    choose_device,
    choose_precision,
    opencv_threads,
    parallel_map,
    parallel_stream,
    torch_threads,
)
from stainbridge.errors import InputError


class Library:
    """A library that counts threads as torch does.

    Each thread has a count of its own; a new thread takes the one that was set last.
    """

    def __init__(self, count: int) -> None:
        self.last = count
        self.own = local()
        self.limit = ThreadLimit(self.read, self.write)

    def read(self) -> int:
        if not hasattr(self.own, "count"):
            self.own.count = self.last
        return int(self.own.count)

    def write(self, count: int) -> None:
        self.own.count = count
        self.last = count


class Worker:
    """A thread that does what it is handed, one thing after the other."""

    def __init__(self) -> None:
        self.orders: Queue[Callable[[], Any] | None] = Queue()
        self.results: Queue[Any] = Queue()
        self.held = ExitStack()
        self.thread = Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        while (order := self.orders.get()) is not None:
            self.results.put(order())

    def do(self, order: Callable[[], Any]) -> Any:
        self.orders.put(order)
        return self.results.get(timeout=60)

    def enter(self, limit: AbstractContextManager[None]) -> None:
        self.do(lambda: self.held.enter_context(limit))

    def leave(self) -> None:
        self.do(self.held.close)

    def stop(self) -> None:
        self.orders.put(None)
        self.thread.join()


def in_new_thread(work: Callable[[], Any]) -> Any:
    worker = Worker()
    try:
        return worker.do(work)
    finally:
        worker.stop()


@pytest.fixture
def workers() -> Iterator[list[Worker]]:
    team = [Worker() for _ in range(3)]
    yield team
    for worker in team:
        worker.stop()


def test_a_holder_limits_the_library_and_restores_it() -> None:
    library = Library(4)
    with library.limit.one():
        assert library.read() == 1
        assert in_new_thread(library.read) == 1
        assert library.limit.unlimited == 4
    assert library.read() == in_new_thread(library.read) == library.limit.unlimited == 4


def test_the_library_is_restored_after_an_exception() -> None:
    library = Library(4)
    with pytest.raises(ZeroDivisionError), library.limit.one():
        _ = 1 / 0
    assert library.read() == in_new_thread(library.read) == 4


@pytest.mark.parametrize(
    "order", [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)]
)
def test_holders_overlap_in_any_order(order: tuple[int, ...], workers: list[Worker]) -> None:
    library = Library(4)
    for worker in workers:
        worker.enter(library.limit.one())
    for position, index in enumerate(order):
        assert workers[index].do(library.read) == 1
        workers[index].leave()
        assert workers[index].do(library.read) == 4
        remaining = len(order) - position - 1
        assert in_new_thread(library.read) == (1 if remaining else 4)
    assert library.read() == 4


@pytest.mark.parametrize("first", [0, 1])
def test_each_thread_gets_its_own_count_back(first: int, workers: list[Worker]) -> None:
    library = Library(4)
    library.read()
    both = workers[:2]
    for worker, count in zip(both, (3, 5), strict=True):
        worker.do(lambda count=count: library.write(count))  # type: ignore[misc]
    for worker in both:
        worker.enter(library.limit.one())
    for worker in (both[first], both[1 - first]):
        worker.leave()
    assert [worker.do(library.read) for worker in both] == [3, 5]
    assert library.read() == 4


def test_a_holder_inside_a_holder_changes_nothing() -> None:
    library = Library(4)
    with library.limit.one():
        with library.limit.one():
            assert library.read() == 1
        assert library.read() == 1
        assert in_new_thread(library.read) == 1
    assert library.read() == in_new_thread(library.read) == 4


def test_a_holder_in_a_worker_of_a_limited_thread_changes_nothing() -> None:
    library = Library(4)

    def work() -> list[int]:
        library.limit.extend()
        counts = [library.read()]
        with library.limit.one():
            counts.append(library.read())
        return [*counts, library.read()]

    with library.limit.one():
        assert in_new_thread(work) == [1, 1, 1]
        assert library.read() == 1
    assert library.read() == in_new_thread(library.read) == 4


def test_a_limit_is_extended_only_while_somebody_holds_it() -> None:
    library = Library(4)

    def extend() -> int:
        library.limit.extend()
        return library.read()

    assert in_new_thread(extend) == 4
    assert library.read() == 4


@pytest.mark.parametrize(
    ("limit", "read", "write"),
    [
        (torch_threads, torch.get_num_threads, torch.set_num_threads),
        (opencv_threads, cv2.getNumThreads, cv2.setNumThreads),
    ],
    ids=["torch", "opencv"],
)
@pytest.mark.parametrize("first", [0, 1])
def test_torch_and_opencv_are_limited_and_restored(
    limit: ThreadLimit,
    read: Callable[[], int],
    write: Callable[[int], None],
    first: int,
    workers: list[Worker],
) -> None:
    before = read()
    write(3)
    try:
        both = workers[:2]
        assert [worker.do(read) for worker in both] == [3, 3]
        for worker in both:
            worker.enter(limit.one())
        assert [worker.do(read) for worker in both] == [1, 1]
        both[first].leave()
        assert both[1 - first].do(read) == in_new_thread(read) == 1
        both[1 - first].leave()
        assert [worker.do(read) for worker in both] == [3, 3]
        assert read() == in_new_thread(read) == 3
    finally:
        write(before)


def test_results_come_in_the_order_of_the_items() -> None:
    def wait(seconds: float) -> float:
        time.sleep(seconds)
        return seconds

    items = [0.05, 0.0, 0.03, 0.01]
    assert parallel_map(wait, items, 4) == items
    assert parallel_map(wait, items, 2) == items
    assert parallel_map(wait, [], 4) == []


def test_work_runs_side_by_side_on_no_more_threads_than_allowed() -> None:
    met = [Event(), Event()]

    def meet(index: int) -> int:
        met[index].set()
        assert met[1 - index].wait(60)  # in one thread after the other they would never meet
        return get_ident()

    assert len(set(parallel_map(meet, [0, 1], 2))) == 2
    names = parallel_map(lambda _: get_ident(), range(40), 3)
    assert len(set(names)) <= 3


@pytest.mark.parametrize(("count", "threads"), [(5, 1), (5, 0), (1, 8)])
def test_one_thread_or_one_item_stays_on_the_calling_thread(count: int, threads: int) -> None:
    names = parallel_map(lambda _: current_thread(), range(count), threads)
    assert set(names) == {current_thread()}


@pytest.mark.parametrize("threads", [1, 3])
def test_an_exception_in_the_work_is_raised(threads: int) -> None:
    def divide(number: int) -> float:
        return 1 / number

    with pytest.raises(ZeroDivisionError):
        parallel_map(divide, [2, 1, 0], threads)


def test_threads_of_limited_work_are_limited_too() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        with torch_threads.one():
            in_new_thread(lambda: torch.set_num_threads(3))  # which a new thread would begin with
            counts = parallel_map(lambda _: torch.get_num_threads(), range(4), 2)
        assert counts == [1, 1, 1, 1]
        assert parallel_map(lambda _: torch.get_num_threads(), range(4), 2) == [3, 3, 3, 3]
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("name", "available", "device"),
    [
        ("cpu", False, "cpu"),
        ("cpu", True, "cpu"),
        ("auto", False, "cpu"),
        ("auto", True, "cuda"),
        ("cuda", True, "cuda"),
    ],
)
def test_the_device_is_chosen_by_name_and_by_what_there_is(
    name: str, available: bool, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: available)
    assert choose_device(name) == device


def test_a_gpu_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match=r"no CUDA device.*use auto or cpu"):
        choose_device("cuda")


@pytest.mark.parametrize("available", [False, True])
def test_an_unknown_device_is_refused(available: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: available)
    with pytest.raises(InputError, match="no such device; expected auto, cpu or cuda; got tpu"):
        choose_device("tpu")


def test_a_context_has_the_threads_asked_for_or_those_of_torch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert ComputeContext.choose("cpu", 5, seed=9) == ComputeContext("cpu", 5, 9)
    assert ComputeContext.choose().seed == 0
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        assert ComputeContext.choose().threads == 3
        with torch_threads.one():
            assert ComputeContext.choose().threads == 3  # whatever others limit torch to
    finally:
        torch.set_num_threads(before)


def test_work_on_a_gpu_is_handed_out_by_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert ComputeContext.choose("auto", 8, seed=2) == ComputeContext("cuda", 1, 2)


def test_at_least_one_core_is_available() -> None:
    assert available_cores() >= 1


@pytest.mark.parametrize("threads", [1, 3])
def test_a_stream_keeps_the_order_and_computes_only_a_little_ahead(threads: int) -> None:
    begun: list[int] = []

    def square(number: int) -> int:
        begun.append(number)
        time.sleep(0.001 * (number % 3))
        return number**2

    taken = []
    for result in parallel_stream(square, range(30), threads):
        taken.append(result)
        assert len(begun) - len(taken) <= 2 * threads
    assert taken == [number**2 for number in range(30)]


def test_a_stream_that_fails_begins_nothing_more() -> None:
    begun: list[int] = []

    def fail(number: int) -> int:
        begun.append(number)
        if number == 3:
            raise ValueError("no")
        return number

    with pytest.raises(ValueError, match="no"):
        list(parallel_stream(fail, range(100), 2))
    assert len(begun) < 12


@pytest.mark.parametrize("has_units", [False, True])
def test_automatic_precision_is_what_the_device_computes_in(
    monkeypatch: pytest.MonkeyPatch, has_units: bool
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: has_units)
    assert choose_precision("auto", "cpu") == ("bf16" if has_units else "32")
    assert choose_precision("auto", "cuda") == "bf16"
    assert [choose_precision(name, "cpu") for name in ("32", "bf16", "16")] == ["32", "bf16", "16"]
