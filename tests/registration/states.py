"""States that a stage may be run from."""

from __future__ import annotations

from typing import Any

from stainbridge.compute import ComputeContext
from stainbridge.geometry.transform import Affine
from stainbridge.registration.sections.section import Section, read_section
from stainbridge.registration.stages.hypothesis import Hypothesis
from stainbridge.registration.stages.stage import Problem, State
from stainbridge.slides.slide import Slide


def make_problem(fixed: Slide, moving: Slide, longest_px: int = 160, **changes: Any) -> Problem:
    """Return the problem of registering two slides."""
    sections = must_read(fixed, longest_px), must_read(moving, longest_px)
    return Problem(sections, (fixed, moving), (None, None), ComputeContext(), **changes)


def must_read(slide: Slide, longest_px: int = 160) -> Section:
    """Return a slide's section, which must be there."""
    section = read_section(slide, longest_px)
    assert section is not None
    return section


def state_at(problem: Problem, placement: Affine, score: float | None = None) -> State:
    """Return the state after a placement, whose score may be made up."""
    if score is None:
        score = problem.measure_score(placement)
    candidates = (Hypothesis(placement.matrix, 0.0),)
    return State(problem, candidates, placement, score, score)


def ignore(fraction: float) -> None:
    """Take a stage's progress."""
