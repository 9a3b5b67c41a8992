"""The trained affine network as a stage: from start hypotheses to affine maps, in one batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
import torch
from torch import Tensor

from stainbridge.geometry.frame import Frame
from stainbridge.geometry.transform import Affine
from stainbridge.learn.checkpoint import check_task
from stainbridge.learn.weights import put, read
from stainbridge.nn.affine_net import AffineNet, AffineNetConfig
from stainbridge.registration.sections.section import Section
from stainbridge.registration.sections.views import seen, view_of
from stainbridge.registration.stages.search import Hypothesis
from stainbridge.settings import build
from stainbridge.similarity.lncc import LocalNCC
from stainbridge.types import Matrix

#: Pixels of moving pictures that go through the network at once.
BATCH_PX = 2_000_000
#: Of the windows of the local NCC that ranks what the network found.
RADIUS = 5


@dataclass(frozen=True, eq=False)
class LearnedAffine:
    """`network` on pictures of the tissue `longest_px` long, `square` or of its aspect, on
    `device`.
    """

    network: AffineNet
    longest_px: int
    device: torch.device
    square: bool = False

    @classmethod
    def load(cls, path: Path, device: str = "cpu") -> Self:
        """From a run folder or a file of weights.

        Raises `InputError` for a damaged file or other weights.
        """
        stored = read(path)
        check_task(stored, "affine")
        network = AffineNet(build(AffineNetConfig, stored.settings["network"], stored.path))
        put(stored, {"network": network})
        low, high = stored.settings["section_px"]
        square = bool(stored.settings.get("square", False))
        return cls(network.eval().to(device), round((low + high) / 2), torch.device(device), square)

    def finer(self) -> Self:
        """The same network on pictures of twice the resolution: windows and patches then show less,
        but exactly.
        """
        return replace(self, longest_px=2 * self.longest_px)

    def __call__(
        self, fixed: Section, moving: Section, starts: Sequence[Matrix], passes: int = 1
    ) -> list[Affine]:
        """What the network makes of each start (3, 3), fixed µm to moving µm: a better map from
        fixed to moving.

        Every further pass starts from what the one before found. Scores are not the network's
        business: verify.
        """
        maps = self._maps(fixed, moving, starts, passes)
        return [Affine(matrix, fixed.frame.space, moving.frame.space) for matrix in maps]

    def ranked(
        self, fixed: Section, moving: Section, starts: Sequence[Matrix], passes: int = 1
    ) -> list[Hypothesis]:
        """Likewise, best first, by local NCC of the pictures that the network sees."""
        view = view_of(fixed, self.longest_px, square=self.square)
        similarity = LocalNCC.of(seen(fixed, view, [np.eye(3)], self.device), RADIUS)
        weight = similarity.focus(torch.ones((), device=self.device))
        maps = self._maps(fixed, moving, starts, passes)
        scores = [
            float(similarity(seen(moving, view, [matrix], self.device), weight)) for matrix in maps
        ]
        found = [Hypothesis(matrix, score) for matrix, score in zip(maps, scores, strict=True)]
        return sorted(found, key=lambda item: -item.score)

    def _maps(
        self, fixed: Section, moving: Section, starts: Sequence[Matrix], passes: int
    ) -> list[Matrix]:
        view = view_of(fixed, self.longest_px, square=self.square)
        still = seen(fixed, view, [np.eye(3)], self.device)
        maps = list(starts)
        for _ in range(passes):
            found = self._found(still, moving, view, maps)
            maps = [start @ _in_um(matrix, view) for start, matrix in zip(maps, found, strict=True)]
        return maps

    def _found(
        self, still: Tensor, moving: Section, view: Frame, maps: list[Matrix]
    ) -> list[Matrix]:
        """The network's (2, 3) matrices for the moving section seen through each map, as many at
        once as fit.
        """
        at_once = max(1, BATCH_PX // (view.width * view.height))
        found: list[Matrix] = []
        for first in range(0, len(maps), at_once):
            some = maps[first : first + at_once]
            shown = seen(
                moving, view, some, self.device
            )  # sections keep what they shrink, for stages with gradients
            with torch.inference_mode():
                found += list(self.network(still, shown).double().cpu().numpy())
        return found


def _in_um(matrix: Matrix, view: Frame) -> Matrix:
    """A network's (2, 3) matrix, in half sides about the middle of `view`, as (3, 3) in µm."""
    unit = view.to_half_sides
    return np.asarray(np.linalg.inv(unit) @ np.vstack([matrix, [0, 0, 1]]) @ unit)
