"""Candidate placements of one section on the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stainbridge.registration.sections.section import Section
from stainbridge.types import Matrix


@dataclass(frozen=True, eq=False)
class Hypothesis:
    """A candidate placement."""

    matrix: Matrix
    """(3, 3), fixed µm to moving µm."""
    score: float
    """Higher is better; comparable within one search only."""


def make_rigid(hypothesis: Hypothesis, fixed: Section) -> Hypothesis:
    """Return the nearest rotation, or mirrored rotation, that takes the fixed centre to one place.

    A µm stays a µm.
    """
    left, _, right = np.linalg.svd(hypothesis.matrix[:2, :2])
    linear = left @ right
    centre = np.asarray(fixed.centre_um)
    matrix = np.eye(3)
    matrix[:2, :2] = linear
    matrix[:2, 2] = hypothesis.matrix[:2, :2] @ centre + hypothesis.matrix[:2, 2] - linear @ centre
    return Hypothesis(matrix, hypothesis.score)


def sort_hypotheses(hypotheses: Sequence[Hypothesis]) -> list[Hypothesis]:
    """Return hypotheses by their score, best first."""
    return sorted(hypotheses, key=lambda hypothesis: -hypothesis.score)


def select_distinct(
    hypotheses: list[Hypothesis], fixed: Section, count: int, radius_share: float
) -> list[Hypothesis]:
    """Return the first `count` hypotheses that differ from every one before.

    They differ where a corner of the fixed frame moves by more than `radius_share` of the section's
    radius.
    """
    if not hypotheses:
        return []
    matrices = np.stack([hypothesis.matrix for hypothesis in hypotheses])
    corners = matrices @ np.vstack([fixed.frame.corners_um.T, np.ones(4)])
    scales = np.sqrt(np.abs(np.linalg.det(matrices[:, :2, :2])))
    nearest = radius_share * scales * fixed.radius_um
    selected: list[int] = []
    for index, own in enumerate(corners):
        if len(selected) == count:
            break
        if (np.abs(own - corners[selected]).max((1, 2)) > nearest[index]).all():
            selected.append(index)
    return [hypotheses[index] for index in selected]
