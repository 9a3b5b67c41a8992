"""Slides kept open while several callers read them."""

from __future__ import annotations

import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.conftest import Sample

from stainbridge.errors import InputError
from stainbridge.slides.open import open_slide
from stainbridge.slides.pool import SlidePool
from stainbridge.slides.slide import Slide


class Door:
    """Notes when it is opened and closed."""

    def __init__(self, log: list[str], name: str) -> None:
        self.log = log
        self.name = name
        log.append(f"+{name}")

    def close(self) -> None:
        self.log.append(f"-{self.name}")


@pytest.fixture
def log() -> list[str]:
    return []


@pytest.fixture
def pool(log: list[str]) -> SlidePool[str, Door]:
    return SlidePool(lambda name: Door(log, name), 2)


def test_the_one_unused_for_longest_is_closed_before_another_is_opened(
    pool: SlidePool[str, Door], log: list[str]
) -> None:
    for name in "abacab":
        with pool.borrow(name) as door:
            assert door.name == name
    assert log == ["+a", "+b", "-b", "+c", "-c", "+b"]


def test_what_is_borrowed_stays_open_until_it_is_returned(
    pool: SlidePool[str, Door], log: list[str]
) -> None:
    with pool.borrow("a"), pool.borrow("b"), pool.borrow("c"):
        assert log == ["+a", "+b", "+c"]
    assert log == ["+a", "+b", "+c", "-c"]  # the first returned was one too many
    with pool.borrow("a"):
        pool.close()
        assert log[4:] == ["-b"]
    assert log[4:] == ["-b", "-a"]


def test_a_pool_closes_what_it_opened_and_may_be_used_again(
    pool: SlidePool[str, Door], log: list[str]
) -> None:
    with pool, pool.borrow("a"):
        pass
    assert log == ["+a", "-a"]
    with pool, pool.borrow("a"):
        pass
    assert log == ["+a", "-a"] * 2


def test_threads_that_want_one_key_open_it_once() -> None:
    log: list[str] = []
    barrier = threading.Barrier(4)

    def open_door(name: str) -> Door:
        return Door(log, name)

    pool = SlidePool(open_door, 1)

    def use(number: int) -> None:
        barrier.wait(10)
        for turn in range(50):
            with pool.borrow(f"{(number + turn) % 3}") as door:
                assert log.count(f"+{door.name}") > log.count(f"-{door.name}")

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(use, [0, 0, 1, 2]))
    pool.close()
    for name in "012":
        assert log.count(f"+{name}") == log.count(f"-{name}") > 0


def test_what_cannot_be_opened_is_tried_again() -> None:
    log: list[str] = []

    def open_at_second_try(name: str) -> Door:
        log.append(name)
        if len(log) == 1:
            raise InputError("no such file", where=name)
        return Door(log, name)

    pool = SlidePool(open_at_second_try, 2)
    with pytest.raises(InputError, match="no such file"), pool.borrow("a"):
        pass
    with pool.borrow("a") as door:
        assert door.name == "a"
    pool.close()
    assert log == ["a", "a", "+a", "-a"]


def test_a_pool_pickles_by_its_paths(samples: dict[str, Sample]) -> None:
    path = samples["png"].path
    pool: SlidePool[Path, Slide] = SlidePool(open_slide, 2)
    with pool, pool.borrow(path) as slide:
        copy = pickle.loads(pickle.dumps(pool))
        with copy, copy.borrow(path) as again:
            assert again is not slide
            assert again.frame.height == slide.frame.height


def test_a_pool_keeps_at_least_one() -> None:
    with pytest.raises(InputError, match="at least one"):
        SlidePool(open_slide, 0)
