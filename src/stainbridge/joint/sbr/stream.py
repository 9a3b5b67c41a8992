"""Samples of a stack: a slice in both modalities, or two slices of one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from stainbridge.errors import InputError
from stainbridge.geometry.flow import warp
from stainbridge.joint.sbr.augment import draw_deformations
from stainbridge.joint.sbr.config import SlicesConfig
from stainbridge.joint.slices import PairedSlices, Slices
from stainbridge.learn.rounds import shuffle_index


class SlicePair(NamedTuple):
    """A fixed and a moving picture, of one sample or of a batch; values are 0 … 1."""

    fixed: Tensor
    """Fixed pictures, (N, 1, H, W)."""
    moving: Tensor
    """Moving pictures, (N, 1, H, W)."""
    fixed_mask: Tensor
    """How much each fixed pixel is tissue, (N, 1, H, W)."""
    moving_mask: Tensor
    """How much each moving pixel is tissue, (N, 1, H, W)."""
    fixed_labels: Tensor
    """Share of each class at each fixed pixel, (N, K, H, W); K is 0 without labels."""
    moving_labels: Tensor
    """Share of each class at each moving pixel, (N, K, H, W)."""


@dataclass(frozen=True, eq=False)
class SliceStream:
    """Samples from a stack, each from its own number and `seed` alone. A `learn.task.Stream`.

    Each round of as many samples as slices shows every slice once, in an order of its own. Without
    `is_augmented` a sample is a slice as it is, and all of it.
    """

    stack: PairedSlices
    """The slices."""
    config: SlicesConfig
    """What is seen of them."""
    seed: int
    """Seed of every sample."""
    shows_neighbours: bool = False
    """Whether the moving picture is a fixed slice nearby in the stack."""
    is_augmented: bool = True
    """Whether samples are deformed and cropped."""

    def __getitem__(self, number: int) -> SlicePair:
        """Return sample `number`.

        Raises `InputError` where the stack has no neighbours to show.
        """
        rng = np.random.default_rng([self.seed, number])
        index = shuffle_index(number, len(self.stack), self.seed)
        moving, other = self.stack.moving, index
        if self.shows_neighbours:
            neighbours = self._neighbours[index]
            moving, other = self.stack.fixed, neighbours[int(rng.integers(len(neighbours)))]
        pair = (_take(self.stack.fixed, index), _take(moving, other))
        if self.is_augmented:
            height, width = pair[0].shape[-2:]
            fields = draw_deformations(rng, self.config.augment, height, width)
            pair = (warp(pair[0], fields[0], "zeros"), warp(pair[1], fields[1], "zeros"))
            pair = self._crop(rng, pair)
        fixed, moving_planes = (planes[0] for planes in pair)
        return SlicePair(
            fixed[:1],
            moving_planes[:1],
            fixed[1:2],
            moving_planes[1:2],
            fixed[2:],
            moving_planes[2:],
        )

    @cached_property
    def _neighbours(self) -> list[list[int]]:
        """For each slice, the slices near to it in the stack."""
        positions = np.array(self.stack.positions)
        distances = np.abs(positions[:, None] - positions[None])
        near = (distances > 0) & (distances <= self.config.neighbours)
        neighbours = [np.flatnonzero(row).tolist() for row in near]
        lonely = [name for name, row in zip(self.stack.names, neighbours, strict=True) if not row]
        if lonely:
            raise InputError(
                "slices without neighbours in the stack",
                where=", ".join(lonely[:5]),
                expected=f"another slice within {self.config.neighbours}",
            )
        return neighbours

    def _crop(self, rng: np.random.Generator, pair: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        if self.config.crop_px is None:
            return pair
        height, width = pair[0].shape[-2:]
        rows = min(self.config.crop_px[0], height)
        columns = min(self.config.crop_px[1], width)
        top = int(rng.integers(height - rows + 1))
        left = int(rng.integers(width - columns + 1))
        fixed, moving = (planes[..., top : top + rows, left : left + columns] for planes in pair)
        return fixed, moving


def _take(slices: Slices, index: int) -> Tensor:
    """Return picture, mask and labels of a slice as planes, (1, 2 + K, H, W)."""
    planes = [slices.pictures[index], slices.masks[index]]
    if slices.labels is not None:
        planes.append(slices.labels[index].float())
    return torch.cat(planes)[None]
