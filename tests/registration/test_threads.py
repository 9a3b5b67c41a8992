"""Registrations in threads of one process neither disturb each other nor leave anything changed."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from threading import Barrier, Event, Thread
from typing import Any, TypeVar

import cv2
import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates
from tests.registration.pictures import SIZE, draw_tissue, similarity_matrix, warp_picture
from tests.registration.stages.toys import ToyStage
from tests.registration.training.sections import section as draw_slide

from stainbridge.registration.config import RegisterConfig
from stainbridge.registration.pipeline import register_slides
from stainbridge.registration.result import Registration
from stainbridge.registration.stages.stage import Proposal, State
from stainbridge.slides.memory import ArraySlide
from stainbridge.types import Pixels

Result = TypeVar("Result")

#: Side of the slides, in pixels.
SIDE = 96
#: The thread count that torch and OpenCV are given: not what they would have, and not 1.
COUNT = 3


@pytest.fixture(autouse=True)
def thread_counts() -> Iterator[None]:
    """Give torch and OpenCV a thread count that registrations have to leave."""
    before = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(COUNT)
    cv2.setNumThreads(COUNT)
    yield
    torch.set_num_threads(before[0])
    cv2.setNumThreads(before[1])


def read_counts() -> tuple[int, int]:
    """Return the calling thread's counts of torch and OpenCV."""
    return torch.get_num_threads(), cv2.getNumThreads()


def in_thread(work: Callable[[], Result]) -> Result:
    """Return what `work` returns in a new thread."""
    results: list[Result] = []
    thread = Thread(target=lambda: results.append(work()))
    thread.start()
    thread.join()
    (result,) = results
    return result


def shrink(pixels: Pixels) -> Pixels:
    return np.stack(
        [cv2.resize(plane, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for plane in pixels]
    )


@dataclass(frozen=True, eq=False)
class Work:
    """One registration: its slides, and the threads that it may use."""

    fixed: ArraySlide
    moving: ArraySlide
    threads: int

    def register(self) -> Registration:
        config = RegisterConfig.preset("fast").with_options(threads=self.threads)
        return register_slides(self.fixed, self.moving, config)


def draw_moving(seed: int, degrees: float, flip: bool) -> ArraySlide:
    """Draw the tissue of a seed turned, mirrored and deformed."""
    y, x = np.mgrid[:SIZE, :SIZE].astype(float)
    source = [y - 9 * np.sin(x / 60), x - 9 * np.cos(y / 70)]
    deformed = [map_coordinates(plane, source, order=1, cval=245) for plane in draw_tissue(seed)]
    matrix = similarity_matrix(degrees, flip, 1, SIZE)
    pixels = shrink(warp_picture(np.stack(deformed), matrix, SIZE))
    return ArraySlide(pixels, 8.0, f"moving {seed}")


@pytest.fixture(scope="module")
def works() -> list[Work]:
    """Four registrations; the first two share their fixed slide."""
    shared, second, third = (
        ArraySlide(shrink(draw_tissue(s)), 8.0, f"fixed {s}") for s in range(3)
    )
    return [
        Work(shared, draw_moving(0, 140, True), 1),
        Work(shared, draw_moving(0, -30, False), 2),
        Work(second, draw_moving(1, 75, False), 2),
        Work(third, draw_moving(2, 10, True), 1),
    ]


def to_bytes(registration: Registration) -> dict[str, Any]:
    """Return everything that a registration found, to the last bit."""
    points = registration.fixed.fit(24).centres_um()
    evidence = registration.evidence
    assert evidence is not None
    scores = [(stage.score_before, stage.score_after) for stage in registration.stages]
    return {
        "transform": registration.transform(points).tobytes(),
        "evidence": {name: struct.pack("d", value) for name, value in asdict(evidence).items()},
        "scores": struct.pack(f"{2 * len(scores)}d", *np.ravel(scores)),
        "stages": [(stage.name, stage.accepted, stage.note) for stage in registration.stages],
        "verdict": (registration.status, registration.reason),
    }


def test_four_at_once_find_what_four_in_a_row_find_and_leave_thread_counts(
    works: list[Work],
) -> None:
    in_a_row = [work.register() for work in works]
    assert read_counts() == (COUNT, COUNT)
    assert any(registration.stages[-1].accepted for registration in in_a_row)
    barrier = Barrier(len(works))
    at_once: dict[int, Registration] = {}
    counts: list[tuple[int, int]] = []

    def run(index: int) -> None:
        counts.append(read_counts())
        barrier.wait(60)
        at_once[index] = works[index].register()
        counts.append(read_counts())

    threads = [Thread(target=run, args=(index,)) for index in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for index, registration in enumerate(in_a_row):
        assert to_bytes(at_once[index]) == to_bytes(registration)
    assert counts == [(COUNT, COUNT)] * 2 * len(works)
    assert read_counts() == in_thread(read_counts) == (COUNT, COUNT)


def test_random_states_are_left_as_they_were(works: list[Work]) -> None:
    random.seed(4)
    np.random.seed(5)  # noqa: NPY002 - the state of the process is what is looked at
    torch.manual_seed(6)
    cv2.setRNGSeed(7)
    expected = draw_numbers()
    random.seed(4)
    np.random.seed(5)  # noqa: NPY002
    torch.manual_seed(6)
    cv2.setRNGSeed(7)
    works[0].register()
    assert draw_numbers() == expected


def draw_numbers() -> tuple[bytes, ...]:
    """Return the next random numbers of each library's own generator."""
    opencv = np.zeros((1, 8), np.float32)
    cv2.randu(opencv, 0, 1)
    return (
        random.randbytes(8),
        np.random.bytes(8),  # noqa: NPY002
        torch.rand(8).numpy().tobytes(),
        opencv.tobytes(),
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class WaitingStage(ToyStage):
    """Waits until it is told to go on, and notes the thread count meanwhile."""

    running: Event
    may_end: Event
    counts: list[int]

    def __call__(self, state: State, progress: Any) -> Proposal | None:
        self.running.set()
        assert self.may_end.wait(60)
        self.counts.append(torch.get_num_threads())
        return super().__call__(state, progress)


class WaitingRegistration:
    """A registration in a thread of its own that begins and ends when it is told to."""

    def __init__(self) -> None:
        self.may_begin = Event()
        self.ready = Event()
        self.running = Event()
        self.may_end = Event()
        self.inside: list[int] = []
        self.outside: list[tuple[int, int]] = []
        self.thread = Thread(target=self._run)
        self.thread.start()
        assert self.ready.wait(60)

    def begin(self) -> None:
        self.may_begin.set()
        assert self.running.wait(60)

    def end(self) -> None:
        self.may_end.set()
        self.thread.join()

    def _run(self) -> None:
        self.outside.append(read_counts())
        self.ready.set()
        assert self.may_begin.wait(60)
        stage = WaitingStage(running=self.running, may_end=self.may_end, counts=self.inside)
        config = RegisterConfig(threads=1, working_px=160, second_search=None)
        register_slides(draw_slide(), draw_slide(0, "moving"), config, stages=[stage])
        self.outside.append(read_counts())


@pytest.mark.parametrize("first_to_end", [0, 1])
def test_two_that_overlap_leave_thread_counts_whichever_ends_first(first_to_end: int) -> None:
    both = WaitingRegistration(), WaitingRegistration()
    for registration in both:
        registration.begin()
    assert in_thread(torch.get_num_threads) == 1
    both[first_to_end].end()
    assert in_thread(torch.get_num_threads) == 1  # the other one still holds it
    both[1 - first_to_end].end()
    for registration in both:
        assert registration.inside == [1]
        assert registration.outside == [(COUNT, COUNT)] * 2
    assert read_counts() == in_thread(read_counts) == (COUNT, COUNT)


def test_a_registration_that_raises_leaves_thread_counts() -> None:
    class Broken(ToyStage):
        def __call__(self, state: State, progress: Any) -> Proposal | None:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        register_slides(draw_slide(), draw_slide(0, "moving"), RegisterConfig(), stages=[Broken()])
    assert read_counts() == in_thread(read_counts) == (COUNT, COUNT)
