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
from stainbridge.learn.rounds import find_source
from stainbridge.registration.sections.density import read_density
from stainbridge.registration.training.augment import change_contrast, draw_deformation
from stainbridge.registration.training.config import PairsConfig
from stainbridge.registration.training.pairs import PairCache, Pairs
from stainbridge.registration.training.view import draw_view
from stainbridge.types import Mask, Plane

#: Density above which a pixel is tissue.
TISSUE_DENSITY = 0.05


class Sample(NamedTuple):
    """One training sample; every tensor is float32, densities are in 0 … 1.2."""

    fixed: Tensor
    """The fixed picture that a network sees, (1, H, W)."""
    moving: Tensor
    """The moving picture that a network sees, (1, H, W)."""
    fixed_density: Tensor
    """The fixed picture in its own contrast, which results are compared on, (1, H, W)."""
    moving_density: Tensor
    """The moving picture in its own contrast, which results are compared on, (1, H, W)."""
    tissue: Tensor
    """1 on fixed tissue that the moving picture shows too, (1, H, W)."""
    truth: Tensor
    """The applied displacement from fixed to moving in pixels, (2, H, W).

    What the pair's own map did not explain is not part of it."""


@dataclass(frozen=True)
class PairStream:
    """Samples from pairs, each from its own number and `seed` alone. A `learn.task.Stream`.

    Both slides are read tile by tile through their transforms. The moving one follows the pair's
    map, the fixed one also the drawn deformation T, so that fixed pixel x shows what moving pixel
    T(x) shows.
    """

    pairs: Pairs
    """The pairs."""
    config: PairsConfig
    """What is seen of them."""
    seed: int
    """Seed of every sample."""

    @cached_property
    def _cache(self) -> PairCache:
        return PairCache(self.pairs, self.config.cached_pairs)

    def __getitem__(self, number: int) -> Sample:
        """Return sample `number`.

        Raises `InputError` for slides that cannot be read or have no tissue.
        """
        rng = np.random.default_rng([self.seed, number])
        pair_number, _ = find_source(number, self.config.cached_pairs, self.config.reuse)
        prepared = self._cache[pair_number]
        pair = prepared.pair
        view, fixed_from_view = draw_view(
            rng, prepared.fixed.overview, pair.fixed.frame, self.config
        )
        applied = draw_deformation(rng, self.config.augment, view)
        fixed = read_density(pair.fixed, prepared.fixed, applied.then(fixed_from_view), view)
        moving_from_view = approximate_by_field(
            fixed_from_view.then(prepared.moving_from_fixed), view
        )
        moving = read_density(pair.moving, prepared.moving, moving_from_view, view)
        tissue = (fixed > TISSUE_DENSITY) & _is_shown_by_moving(applied, view)
        return Sample(
            _to_tensor(change_contrast(rng, fixed, self.config.augment)),
            _to_tensor(change_contrast(rng, moving, self.config.augment)),
            _to_tensor(fixed),
            _to_tensor(moving),
            _to_tensor(tissue),
            torch.from_numpy(applied.to_field(view).displacement / np.float32(view.mpp[0])),
        )


def approximate_by_field(transform: Transform, view: Frame, step_px: int = 10) -> Transform:
    """Return a transform of the view as a displacement field, then an affine map.

    The field has a node every `step_px` pixels. A warp evaluates such a chain for all pixels at
    once, any other transform point by point.
    """
    nodes = view.at_mpp(step_px * view.mpp[0])
    points = nodes.centres_um()
    targets = transform(points)
    affine = fit_affine(points, targets, view.space, transform.target)
    displacement = (affine.inverse()(targets) - points).T.reshape(2, nodes.height, nodes.width)
    return DisplacementField(displacement.astype(np.float32), nodes, view.space, view.space).then(
        affine
    )


def _is_shown_by_moving(applied: Transform, view: Frame) -> Mask:
    """Return where the moving picture has what the fixed one shows, (H, W)."""
    return view.contains(applied(view.centres_um())).reshape(view.height, view.width)


def _to_tensor(values: Plane | Mask) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, np.float32))[None]
