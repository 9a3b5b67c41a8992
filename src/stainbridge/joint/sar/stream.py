"""Training pairs without end: a reference, and a floating picture deformed by a known field."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor

from stainbridge.joint.sar.config import PAPER_SIZE_PX, SarPairsConfig
from stainbridge.joint.sar.deform import draw_deformation, invert_displacement
from stainbridge.joint.sar.pictures import MaskedPicture, MaskedPictures
from stainbridge.learn.rounds import shuffle_index
from stainbridge.types import Field, Plane

#: Range of the scale by which another picture's mask is brought to the size of the reference's.
SCALE_RANGE = (0.7, 1.4)


class SarSample(NamedTuple):
    """One pair, float32; pictures and masks are in 0 … 1."""

    reference: Tensor
    """The picture that stays, (1, H, W)."""
    floating: Tensor
    """The picture to register, (1, H, W)."""
    reference_mask: Tensor
    """Mask of the reference, (1, H, W); 0 where there are no masks."""
    floating_mask: Tensor
    """Mask of the floating picture, (1, H, W)."""
    truth: Tensor
    """Displacement from reference to floating pixels, (2, H, W): what G should recover."""
    applied: Tensor
    """The applied displacement, from floating to reference pixels: what F should recover."""
    known: Tensor
    """1 where both pictures are the same one, so that the fields are the truth, ()."""


@dataclass(frozen=True)
class SarStream:
    """Pairs by number. A `learn.task.Stream`: pair i of a seed is always the same."""

    pictures: MaskedPictures
    """What pairs are made from."""
    config: SarPairsConfig
    """How they are made."""
    seed: int
    """Seed of every pair."""

    def __getitem__(self, number: int) -> SarSample:
        """Return pair `number`. Raises `InputError` for a picture that cannot be used."""
        rng = np.random.default_rng([self.seed, number])
        index = shuffle_index(number, len(self.pictures), self.seed)
        reference = self.pictures[index]
        is_other = len(self.pictures) > 1 and bool(rng.uniform() < self.config.others)
        source = reference
        placement = _identity(self.config.size_px)
        if is_other:
            shift = int(rng.integers(1, len(self.pictures)))
            source = self.pictures[(index + shift) % len(self.pictures)]
            placement = _align_masks(reference.mask, source.mask, self.config.size_px)
        applied = self._draw_field(rng)
        position = np.asarray(placement.sample(applied), np.float32)
        floating = [_warp_to(plane, position) for plane in _planes(source)]
        truth = invert_displacement(applied)
        sample = [*_planes(reference), *floating]
        if self.config.turn:
            sample, truth, applied = _turn(rng, sample, truth, applied)
        pictures = [self._change_contrast(rng, sample[0]), self._change_contrast(rng, sample[2])]
        return SarSample(
            _to_tensor(pictures[0]),
            _to_tensor(pictures[1]),
            _to_tensor(sample[1]),
            _to_tensor(sample[3]),
            torch.from_numpy(np.ascontiguousarray(truth)),
            torch.from_numpy(np.ascontiguousarray(applied)),
            torch.tensor(0.0 if is_other else 1.0),
        )

    def for_validation(self, seed: int) -> SarStream:
        """Return pairs of known fields, in their own contrast."""
        plain = replace(self.config, others=0.0, turn=False, contrast=0.0)
        return SarStream(self.pictures, plain, seed)

    def _draw_field(self, rng: np.random.Generator) -> Field:
        size = self.config.size_px
        nodes = int(rng.integers(self.config.nodes[0], self.config.nodes[1] + 1))
        longest_px = rng.uniform(*self.config.displacement_px) * size / PAPER_SIZE_PX
        return draw_deformation(rng, size, nodes, longest_px)

    def _change_contrast(self, rng: np.random.Generator, picture: Plane) -> Plane:
        gamma = np.exp(rng.normal(0, 1) * self.config.contrast)
        return np.asarray(picture ** np.float32(gamma), np.float32)


@dataclass(frozen=True)
class _Placement:
    """A map of pixels to pixels that scales and shifts each axis."""

    scale: tuple[float, float]
    shift: tuple[float, float]
    size_px: int

    def sample(self, displacement: Field) -> Field:
        """Return where x + u(x) is mapped to, (2, H, W) as (x, y)."""
        axis = np.arange(self.size_px, dtype=np.float32)
        points = np.stack(np.meshgrid(axis, axis)) + displacement
        scale = np.reshape(self.scale, (2, 1, 1))
        return np.asarray(scale * points + np.reshape(self.shift, (2, 1, 1)), np.float32)


def _identity(size_px: int) -> _Placement:
    return _Placement((1.0, 1.0), (0.0, 0.0), size_px)


def _align_masks(reference: Plane | None, other: Plane | None, size_px: int) -> _Placement:
    """Return the map by which the other mask has the reference's centroid and spread.

    Without masks pictures stay as they lie.
    """
    if reference is None or other is None:
        return _identity(size_px)
    centre, spread = _measure_mask(reference)
    other_centre, other_spread = _measure_mask(other)
    scale = np.clip(other_spread / spread, *SCALE_RANGE)
    shift = other_centre - scale * centre
    return _Placement(
        (float(scale[0]), float(scale[1])), (float(shift[0]), float(shift[1])), size_px
    )


def _measure_mask(mask: Plane) -> tuple[np.ndarray, np.ndarray]:
    """Return the mask's centroid and standard deviations as (x, y), in pixels."""
    rows, columns = np.nonzero(mask > 0.5)
    if not len(rows):
        rows, columns = np.indices(mask.shape).reshape(2, -1)
    points = np.stack([columns, rows]).astype(float)
    return points.mean(1), points.std(1).clip(1.0)


def _planes(pictures: MaskedPicture) -> list[Plane]:
    mask = pictures.mask
    return [pictures.picture, np.zeros_like(pictures.picture) if mask is None else mask]


def _warp_to(plane: Plane, position: Field) -> Plane:
    return np.asarray(cv2.remap(plane, position[0], position[1], cv2.INTER_LINEAR))


def _turn(
    rng: np.random.Generator, planes: list[Plane], truth: Field, applied: Field
) -> tuple[list[Plane], Field, Field]:
    """Turn everything by the same right angle, and mirror it or not."""
    quarter_turns = int(rng.integers(4))
    is_mirrored = bool(rng.integers(2))
    turned = [_turn_plane(plane, quarter_turns, is_mirrored) for plane in planes]
    fields = [_turn_field(field, quarter_turns, is_mirrored) for field in (truth, applied)]
    return turned, fields[0], fields[1]


def _turn_plane(plane: Plane, quarter_turns: int, is_mirrored: bool) -> Plane:
    turned = np.rot90(plane, quarter_turns)
    return np.ascontiguousarray(turned[:, ::-1] if is_mirrored else turned)


def _turn_field(field: Field, quarter_turns: int, is_mirrored: bool) -> Field:
    """Turn a field (2, H, W): its place and its vectors."""
    x, y = (_turn_plane(plane, quarter_turns, is_mirrored) for plane in field)
    for _ in range(quarter_turns):  # np.rot90 takes (dx, dy) to (dy, −dx)
        x, y = y, -x
    return np.stack([-x if is_mirrored else x, y])


def _to_tensor(plane: Plane) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(plane, np.float32))[None]
