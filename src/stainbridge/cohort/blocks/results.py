"""The registrations of a block's pairs as they lie in a cohort's folder, in common spaces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from stainbridge.cohort.blocks.block import Block
from stainbridge.cohort.blocks.graph import Link
from stainbridge.cohort.folder import CohortFolder
from stainbridge.geometry.files import read_transform
from stainbridge.geometry.frame import Space
from stainbridge.geometry.transform import Transform
from stainbridge.registration.record import TRANSFORM, read_record


@dataclass(frozen=True)
class PairResults:
    """The links between the slides of a block, and the transform of each."""

    links: tuple[Link, ...]
    """Pairs that could be aligned, in the block's order."""
    transforms: Mapping[tuple[str, str], Transform]
    """From the fixed slide to the moving one, by their names; slides have one space each."""

    def compose(self, slides: Sequence[str]) -> Transform:
        """Return the transform along a chain of slides, from the first to the last."""
        steps = [self._step(first, second) for first, second in pairwise(slides)]
        whole = steps[0]
        for step in steps[1:]:
            whole = whole.then(step)
        return whole

    def _step(self, first: str, second: str) -> Transform:
        if (first, second) in self.transforms:
            return self.transforms[first, second]
        return self.transforms[second, first].inverse()


def read_results(block: Block, spaces: Mapping[str, Space], folder: CohortFolder) -> PairResults:
    """Return what became of a block's pairs; those that failed are left out.

    `spaces` has the plane of each slide. Raises `InputError` for a damaged result.
    """
    links = []
    transforms = {}
    for fixed, moving in block.list_pairs():
        name = block.name_pair(fixed, moving)
        finished = folder.read_finished(name)
        if finished is None or finished.status == "failed":
            continue
        result = folder.case(name)
        error_um = float(read_record(result)["predicted_um"])
        links.append(Link(fixed.name, moving.name, finished.status == "ok", error_um))
        transforms[fixed.name, moving.name] = read_transform(
            result / TRANSFORM, spaces[fixed.name], spaces[moving.name]
        )
    return PairResults(tuple(links), transforms)
