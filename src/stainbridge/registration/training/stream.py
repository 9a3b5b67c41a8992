"""Samples without end: parts of a pair, deformed by a known map, in random contrasts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from stainbridge.geometry.fit import fit_affine
from stainbridge.geometry.frame import Frame
from stainbridge.geometry.transform import DisplacementField, Transform
from stainbridge.registration.sections.density import read_density
from stainbridge.registration.training.augment import deformation, recoloured
from stainbridge.registration.training.config import PairsConfig
from stainbridge.registration.training.pairs import AtHand, Pairs, pair_of_sample
from stainbridge.registration.training.view import drawn_view
from stainbridge.types import Mask, Plane

TISSUE = 0.05  # density from which on a pixel is tissue


class Sample(NamedTuple):
    """One training sample; every tensor is float32, densities (1, H, W), 0 to 1.2.

    `fixed` and `moving` are what a network sees, the `_density` ones what its result is compared
    on: the same before contrasts were changed. `tissue` is 1 on fixed tissue that the moving
    picture shows too. `truth` (2, H, W) is the displacement in pixels from fixed to moving that was
    applied, beside what the pair's own map did not explain.
    """

    fixed: Tensor
    moving: Tensor
    fixed_density: Tensor
    moving_density: Tensor
    tissue: Tensor
    truth: Tensor


@dataclass(frozen=True)
class PairStream:
    """Samples from `pairs` as `config` says, each from its own number and `seed` alone. A
    `learn.task.Stream`.

    Both slides are read tile by tile through their transforms; the moving one follows the pair's
    map, the fixed one also the drawn deformation T. So fixed pixel x shows what moving pixel T(x)
    shows.
    """

    pairs: Pairs
    config: PairsConfig
    seed: int

    @cached_property
    def _at_hand(self) -> AtHand:
        return AtHand(self.pairs, self.config.at_hand)

    def __getitem__(self, number: int) -> Sample:
        """Sample `number`. Raises `InputError` for slides that cannot be read or have no tissue."""
        rng = np.random.default_rng([self.seed, number])
        prepared = self._at_hand[pair_of_sample(number, self.config.at_hand, self.config.reuse)]
        view, laid = drawn_view(
            rng, prepared.fixed.overview, prepared.pair.fixed.frame, self.config
        )
        applied = deformation(rng, self.config.augment, view)
        fixed = read_density(prepared.pair.fixed, prepared.fixed, applied.then(laid), view)
        there = bent(laid.then(prepared.moving_from_fixed), view)
        moving = read_density(prepared.pair.moving, prepared.moving, there, view)
        return Sample(
            _plane(recoloured(rng, fixed, self.config.augment)),
            _plane(recoloured(rng, moving, self.config.augment)),
            _plane(fixed),
            _plane(moving),
            _plane((fixed > TISSUE) & _shown(applied, view)),
            torch.from_numpy(applied.to_field(view).displacement / np.float32(view.mpp[0])),
        )


def bent(transform: Transform, view: Frame, step_px: int = 10) -> Transform:
    """A transform of the view as a displacement field with a node every `step_px`, then an affine
    map.

    Of such a chain a warp knows every pixel at once; any other is evaluated point by point.
    """
    nodes = view.at_mpp(step_px * view.mpp[0])
    points = nodes.centres_um()
    there = transform(points)
    affine = fit_affine(points, there, view.space, transform.target)
    displacement = (affine.inverse()(there) - points).T.reshape(2, nodes.height, nodes.width)
    return DisplacementField(displacement.astype(np.float32), nodes, view.space, view.space).then(
        affine
    )


def _shown(applied: Transform, view: Frame) -> Mask:
    """Where the moving picture has what the fixed one shows, (H, W)."""
    return view.contains(applied(view.centres_um())).reshape(view.height, view.width)


def _plane(values: Plane | Mask) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, np.float32))[None]
