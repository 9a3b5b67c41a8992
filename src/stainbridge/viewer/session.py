"""What one run of the viewer knows: its cases, which are open, what was changed in each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

from stainbridge.errors import InputError
from stainbridge.slides.closing import ClosedByWith
from stainbridge.slides.pool import SlidePool
from stainbridge.viewer.layer import Case, Layer
from stainbridge.viewer.sources import CaseSource

#: Cases whose slides are kept open.
OPEN_CASES = 4


class NoSuchCaseError(InputError):
    """An id of a case or a layer that this run does not have."""


@dataclass(eq=False)
class CaseState:
    """One case and what was changed since the start."""

    id: str
    """What URLs call it; says nothing of where it is."""
    source: CaseSource
    """Where it comes from."""
    version: int = 1
    """Raised when its layers change, so that browsers and caches forget the old ones."""
    candidate: Path | None = None
    """The folder of a new registration that is compared with the old one."""
    lock: Lock = field(default_factory=Lock, repr=False)
    """Held while the case is changed."""

    def change_candidate(self, candidate: Path | None) -> None:
        """Show another new registration, or none."""
        with self.lock:
            self.candidate = candidate
            self.version += 1


class Session(ClosedByWith):
    """Cases by their ids; at most a few are open at once.

    Raises `InputError` where there is no case.
    """

    def __init__(self, title: str, sources: tuple[CaseSource, ...]) -> None:
        if not sources:
            raise InputError("nothing to look at", expected="a result, a cohort or slides")
        self.title = title
        self._states = {
            f"case-{number}": CaseState(f"case-{number}", source)
            for number, source in enumerate(sources, 1)
        }
        self._pool: SlidePool[tuple[str, int], Case] = SlidePool(self._open, OPEN_CASES)

    @property
    def states(self) -> tuple[CaseState, ...]:
        """All cases, in their order."""
        return tuple(self._states.values())

    def find(self, case_id: str) -> CaseState:
        """Return a case; raises `NoSuchCaseError` for an unknown id."""
        if case_id not in self._states:
            raise NoSuchCaseError("no such case", got=case_id[:40])
        return self._states[case_id]

    @contextmanager
    def borrow(self, case_id: str) -> Iterator[Case]:
        """Lend the opened case; raises what opening raises."""
        state = self.find(case_id)
        with self._pool.borrow((case_id, state.version)) as case:
            yield case

    @contextmanager
    def borrow_layer(self, case_id: str, layer_id: str) -> Iterator[Layer]:
        """Lend a layer of an opened case; raises `NoSuchCaseError` for an unknown id."""
        with self.borrow_pair(case_id, layer_id) as (_, layer):
            yield layer

    @contextmanager
    def borrow_pair(self, case_id: str, layer_id: str) -> Iterator[tuple[Layer, Layer]]:
        """Lend the fixed layer and another one; raises `NoSuchCaseError` for an unknown id."""
        with self.borrow(case_id) as case:
            layer = case.find_layer(layer_id)
            if layer is None:
                raise NoSuchCaseError("no such layer", got=layer_id[:40])
            yield case.fixed, layer

    def close(self) -> None:
        """Close all slides."""
        self._pool.close()

    def _open(self, key: tuple[str, int]) -> Case:
        state = self._states[key[0]]
        return state.source.open(state.candidate)
