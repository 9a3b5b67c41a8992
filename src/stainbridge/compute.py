"""Where and how to compute: device, threads, seed, and work spread over threads.

Thread counts of torch and OpenCV belong to the process. `ThreadLimit` counts its holders, so that
overlapping work changes them once and restores them once.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock, Thread, local
from typing import Literal, TypeAlias, TypeVar

from stainbridge.errors import InputError

Item = TypeVar("Item")
Result = TypeVar("Result")
#: Where to compute; "auto" takes a GPU when there is one.
DeviceChoice: TypeAlias = Literal["auto", "cpu", "cuda"]
#: Bits of a number: "32" throughout, or mixed precision with bfloat16 or float16.
Precision: TypeAlias = Literal["32", "bf16", "16"]
#: "auto" is "bf16" where the device computes in it, and "32" elsewhere.
TrainingPrecision: TypeAlias = Literal["auto", "32", "bf16", "16"]
#: torch's questions for units that compute in bfloat16; a torch that lacks one has no such units.
BFLOAT16_UNITS = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
#: A device that is there.
DeviceName: TypeAlias = Literal["cpu", "cuda"]


@dataclass(frozen=True)
class ComputeContext:
    """What a computation may use: it is handed down, never looked up in the process."""

    device: DeviceName = "cpu"
    """Where tensors live."""
    threads: int = 1
    """CPU threads to spread independent work over."""
    seed: int = 0
    """Seed of every random choice."""

    @classmethod
    def choose(
        cls, device: str = "auto", threads: int | None = None, seed: int = 0
    ) -> ComputeContext:
        """Return the context that settings ask for on this machine.

        `device` is "auto", "cpu" or "cuda"; `threads` None takes as many as torch would. Work on a
        GPU is handed out by one thread. Raises `InputError` for a device that is not there.
        """
        chosen = choose_device(device)
        if chosen == "cuda":
            return cls(chosen, 1, seed)
        return cls(chosen, threads or torch_threads.unlimited, seed)


def choose_device(name: str) -> DeviceName:
    """Return "cuda" or "cpu" for "auto", "cpu" or "cuda".

    Raises `InputError` for another name, and when "cuda" is asked for and there is none.
    """
    import torch

    if name not in ("auto", "cpu", "cuda"):
        raise InputError("no such device", expected="auto, cpu or cuda", got=name)

    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise InputError(
            "no CUDA device can be used",
            expected="a GPU and a CUDA build of torch",
            remedy="use auto or cpu",
        )
    return "cuda" if name != "cpu" and available else "cpu"


def choose_precision(precision: TrainingPrecision, device: DeviceName) -> Precision:
    """Return the precision that is meant on a device.

    "auto" is "bf16" on GPUs and on processors with units for it. Others imitate it, far slower than
    they compute "32".
    """
    import torch

    if precision != "auto":
        return precision
    has_units = any(getattr(torch.cpu, name, bool)() for name in BFLOAT16_UNITS)
    return "bf16" if device == "cuda" or has_units else "32"


def parallel_map(
    work: Callable[[Item], Result], items: Sequence[Item], threads: int
) -> list[Result]:
    """Return `work` of each item, in their order, on up to `threads` threads.

    Pieces that share nothing keep all cores busy. One small tensor operation at a time, split over
    the cores, spends its time on handing out work. An exception in `work` is raised here.
    """
    if threads < 2 or len(items) < 2:
        return [work(item) for item in items]
    with ThreadPoolExecutor(min(threads, len(items)), initializer=torch_threads.extend) as pool:
        return list(pool.map(work, items))


def parallel_stream(
    work: Callable[[Item], Result], items: Iterable[Item], threads: int
) -> Iterator[Result]:
    """Yield `work` of each item, in their order, computed ahead on up to `threads` threads.

    At most two results a thread wait to be taken, so that memory does not grow with the number of
    items. An exception in `work` is raised here; what has not begun by then does not.
    """
    if threads < 2:
        yield from map(work, items)
        return
    pool = ThreadPoolExecutor(threads, initializer=torch_threads.extend)
    waiting: deque[Future[Result]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) >= 2 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


class ThreadLimit:
    """Holds a library to one thread per call; the last holder restores what was before."""

    def __init__(self, read: Callable[[], int], write: Callable[[int], None]) -> None:
        self._read = read
        self._write = write
        self._lock = Lock()
        self._holders = 0
        self._before = 0
        self._thread = local()

    @property
    def unlimited(self) -> int:
        """Threads that the library uses when nobody limits it."""
        with self._lock:
            return self._before if self._holders else self._read()

    @contextmanager
    def one(self) -> Iterator[None]:
        """Hold the library to one thread; holders may overlap, in any order and in any thread."""
        self._enter()
        try:
            yield
        finally:
            self._leave()

    def extend(self) -> None:
        """Hold the calling thread, new inside a limit, to one thread too."""
        with self._lock:
            if self._holders:
                self._thread.extended = True
                self._write(1)

    def _enter(self) -> None:
        with self._lock:
            current = self._read()
            if not self._holders:
                self._before = current
            if not getattr(self._thread, "holders", 0):
                # A thread that first asks under a limit sees the limit, not a count of its own.
                extended = getattr(self._thread, "extended", False)
                inherited = self._holders and current == 1 and not extended
                self._thread.holders = 0
                self._thread.count = self._before if inherited else current
            self._holders += 1
            self._thread.holders += 1
            self._write(1)

    def _leave(self) -> None:
        with self._lock:
            self._holders -= 1
            self._thread.holders -= 1
            if self._thread.holders:
                return
            self._write(self._thread.count)
            if self._holders:
                # The calling thread has its own count back. New threads take the process's count,
                # which must stay 1 for the other holders: only a thread of its own can set that.
                keeper = Thread(target=self._write, args=(1,))
                keeper.start()
                keeper.join()


def _read_torch_threads() -> int:
    import torch

    return torch.get_num_threads()


def _write_torch_threads(count: int) -> None:
    import torch

    torch.set_num_threads(count)


def _read_opencv_threads() -> int:
    import cv2

    return cv2.getNumThreads()


def _write_opencv_threads(count: int) -> None:
    import cv2

    cv2.setNumThreads(count)


#: The counts are the process's own, so each has one limit for the process.
torch_threads = ThreadLimit(_read_torch_threads, _write_torch_threads)
opencv_threads = ThreadLimit(_read_opencv_threads, _write_opencv_threads)


def available_cores() -> int:
    """Return how many CPU cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
