"""Samples that are made once, stored, and shown again and again.

A few cores train on them, because making samples costs them most.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from stainbridge.geometry.frame import Space
from stainbridge.geometry.transform import Affine
from stainbridge.learn.rounds import shuffle_index
from stainbridge.registration.training.augment import change_contrast, draw_deformation
from stainbridge.registration.training.config import AugmentConfig
from stainbridge.registration.training.stream import PairStream, Sample
from stainbridge.types import Matrix
from stainbridge.whole import whole_file

#: The planes of a sample that are stored; what a network sees is made from the densities.
STORED_PLANES = ("fixed_density", "moving_density", "tissue", "truth")
#: Distinguishes the random numbers of a sample from those of the stream it was made by.
SAMPLE_SEED = 1
#: Distinguishes the random numbers of a round's order from those of samples.
ORDER_SEED = 2
#: Ways to turn a square by quarters and mirror it.
ORIENTATIONS = 8


@dataclass(frozen=True)
class StoredStream:
    """The first `stored_samples` samples of a stream, over and over. A `learn.task.Stream`.

    The first round is in their order, later rounds are shuffled. Each time a sample is turned by
    quarters and mirrored, both pictures together, and gets new contrasts, as number and seed say.
    Whole sections are stored with the elastic part of the deformation and get another affine part
    each time. Patches show nothing beyond their borders, so they keep theirs. Pictures must be
    square. Raises `InputError` as the stream does.
    """

    stream: PairStream
    """Makes the samples."""
    folder: Path
    """Holds the samples in half precision, one file each."""

    def __getitem__(self, number: int) -> Sample:
        """Return sample `number`."""
        rng = np.random.default_rng([self.stream.seed, number, SAMPLE_SEED])
        orientation = int(rng.integers(ORIENTATIONS))
        augment = self.stream.config.augment
        planes = {name: reorient(plane, orientation) for name, plane in self._load(number).items()}
        if self._shows_whole_sections:
            matrix = draw_affine(rng, augment, planes["tissue"].shape[-1])
            planes = apply_affine(planes, matrix)
        fixed, moving = (
            torch.from_numpy(change_contrast(rng, planes[name][0].numpy(), augment))[None]
            for name in ("fixed_density", "moving_density")
        )
        return Sample(fixed, moving, *(planes[name] for name in STORED_PLANES))

    @property
    def _shows_whole_sections(self) -> bool:
        return self.stream.config.patch_px is None

    @cached_property
    def _source(self) -> PairStream:
        """The stream that stored samples are made by."""
        if not self._shows_whole_sections:
            return self.stream
        config = self.stream.config
        elastic_only = replace(
            config.augment,
            rotation_deg=(0.0, 0.0),
            scale=(1.0, 1.0),
            shear_deg=(0.0, 0.0),
            shift=0.0,
        )
        return replace(self.stream, config=replace(config, augment=elastic_only))

    def _load(self, number: int) -> dict[str, Tensor]:
        """Return the stored planes of a sample, made now where they are missing."""
        index = self._index(number)
        path = self.folder / f"{index:06d}.npz"
        if not path.exists():
            sample = self._source[index]
            planes = {name: getattr(sample, name).half().numpy() for name in STORED_PLANES}
            self.folder.mkdir(parents=True, exist_ok=True)
            with whole_file(path) as temporary, temporary.open("wb") as file:
                np.savez(file, **planes)
        with np.load(path) as stored:
            return {
                name: torch.from_numpy(stored[name].astype(np.float32)) for name in STORED_PLANES
            }

    def _index(self, number: int) -> int:
        """Return which stored sample is shown; in the first round neighbours share a pair."""
        count = self.stream.config.stored_samples
        if number < count:
            return number
        return shuffle_index(number, count, self.stream.seed, ORDER_SEED)


def draw_affine(rng: np.random.Generator, config: AugmentConfig, side: int) -> Matrix:
    """Draw the affine part of a deformation of a picture of `side` by `side` pixels.

    The matrix (2, 3) takes pixel indices to pixel indices.
    """
    space = Space("view", side, side)
    drawn = draw_deformation(rng, replace(config, elastic=0.0), space.frame)
    assert isinstance(drawn, Affine)
    linear = drawn.matrix[:2, :2]
    shift = drawn.matrix[:2, 2]
    return np.asarray(np.c_[linear, shift + linear @ [0.5, 0.5] - 0.5])


def apply_affine(planes: dict[str, Tensor], matrix: Matrix) -> dict[str, Tensor]:
    """Warp the fixed picture by an affine map (2, 3) of pixel indices, and update the truth."""
    side = planes["tissue"].shape[-1]
    index = np.stack(np.meshgrid(np.arange(side), np.arange(side)))
    mapped = np.tensordot(matrix[:, :2], index, 1) + matrix[:, 2, None, None]
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    stacked = np.concatenate([planes["fixed_density"], planes["tissue"], planes["truth"]])
    warped = np.stack(
        [cv2.warpAffine(plane, matrix, (side, side), flags=flags) for plane in stacked]
    )
    fixed = warped[:1]
    truth = warped[2:] + mapped - index
    is_inside = (np.abs(index + truth - (side - 1) / 2) <= side / 2).all(axis=0)
    tissue = ((warped[1:2] > 0.5) & is_inside).astype(np.float32)
    changed = {"fixed_density": fixed, "tissue": tissue, "truth": truth.astype(np.float32)}
    return {**planes, **{name: torch.from_numpy(values) for name, values in changed.items()}}


def reorient(planes: Tensor, orientation: int) -> Tensor:
    """Return square planes (C, H, H) in one of eight orientations.

    The bits of `orientation` mirror across, down, and about the diagonal. Two channels are a
    displacement field, whose vectors are mirrored too.
    """
    is_field = len(planes) == 2
    for bit, axis, signs in ((1, -1, (-1.0, 1.0)), (2, -2, (1.0, -1.0))):
        if orientation & bit:
            planes = planes.flip(axis)
            if is_field:
                planes = planes * torch.tensor(signs)[:, None, None]
    if orientation & 4:
        planes = planes.transpose(-1, -2)
        planes = planes.flip(0) if is_field else planes
    return planes.contiguous()
