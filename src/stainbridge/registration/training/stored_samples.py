"""Samples that are made once and shown again and again: what a few cores train on, for whom making
them costs most.
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
from stainbridge.registration.training.augment import deformation, recoloured
from stainbridge.registration.training.config import AugmentConfig
from stainbridge.registration.training.stream import PairStream, Sample
from stainbridge.types import Matrix
from stainbridge.whole import whole_file

#: What is kept of a sample; what a network sees is coloured anew from the densities.
KEPT = ("fixed_density", "moving_density", "tissue", "truth")


@dataclass(frozen=True)
class KeptStream:
    """The first `config.kept` samples of `stream`, in half precision in `folder`. A
    `learn.task.Stream`.

    First in their order, then over and over in others; each time turned by quarters and mirrored,
    both pictures alike, and in new contrasts, as number and seed say. Whole sections are kept with
    the elastic part of the deformation and get another affine part each time; patches, which show
    nothing beyond their borders, keep theirs. Pictures must be square. Raises `InputError` as the
    stream does.
    """

    stream: PairStream
    folder: Path

    def __getitem__(self, number: int) -> Sample:
        """Sample `number`."""
        rng = np.random.default_rng([self.stream.seed, number, 1])
        way = int(rng.integers(8))
        kept = {name: laid(plane, way) for name, plane in self._kept(number).items()}
        if self._whole:
            kept = moved(
                kept, drawn_affine(rng, self.stream.config.augment, kept["tissue"].shape[-1])
            )
        fixed, moving = (
            torch.from_numpy(
                recoloured(rng, kept[f"{side}_density"][0].numpy(), self.stream.config.augment)
            )[None]
            for side in ("fixed", "moving")
        )
        return Sample(fixed, moving, *(kept[name] for name in KEPT))

    @property
    def _whole(self) -> bool:
        return self.stream.config.patch_px is None

    @cached_property
    def _made(self) -> PairStream:
        """The stream that kept samples are made by."""
        config = self.stream.config
        still = replace(
            config.augment,
            rotation_deg=(0.0, 0.0),
            scale=(1.0, 1.0),
            shear_deg=(0.0, 0.0),
            shift=0.0,
        )
        return (
            replace(self.stream, config=replace(config, augment=still))
            if self._whole
            else self.stream
        )

    def _kept(self, number: int) -> dict[str, Tensor]:
        path = self.folder / f"{self._index(number):06d}.npz"
        if not path.exists():
            sample = self._made[self._index(number)]
            self.folder.mkdir(parents=True, exist_ok=True)
            with whole_file(path) as temporary, temporary.open("wb") as file:
                np.savez(file, **{name: getattr(sample, name).half().numpy() for name in KEPT})
        with np.load(path) as planes:
            return {name: torch.from_numpy(planes[name].astype(np.float32)) for name in KEPT}

    def _index(self, number: int) -> int:
        turn, index = divmod(number, self.stream.config.kept)
        if turn == 0:  # neighbours in the stream share a pair
            return index
        order = np.random.default_rng([self.stream.seed, turn, 2]).permutation(
            self.stream.config.kept
        )
        return int(order[index])


def drawn_affine(rng: np.random.Generator, config: AugmentConfig, side: int) -> Matrix:
    """The affine part of a drawn deformation of a picture `side` pixels wide and high: (2, 3),
    pixel index to index.
    """
    drawn = deformation(rng, replace(config, elastic=0.0), Space("view", side, side).frame)
    assert isinstance(drawn, Affine)
    linear, shift = drawn.matrix[:2, :2], drawn.matrix[:2, 2]
    return np.asarray(np.c_[linear, shift + linear @ [0.5, 0.5] - 0.5])


def moved(kept: dict[str, Tensor], matrix: Matrix) -> dict[str, Tensor]:
    """The fixed picture seen through an affine map (2, 3) of pixel indices, and the truth that goes
    with it.
    """
    side = kept["tissue"].shape[-1]
    index = np.stack(np.meshgrid(np.arange(side), np.arange(side)))
    through = np.tensordot(matrix[:, :2], index, 1) + matrix[:, 2, None, None]
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    planes = np.concatenate([kept["fixed_density"], kept["tissue"], kept["truth"]])
    seen = np.stack([cv2.warpAffine(plane, matrix, (side, side), flags=how) for plane in planes])
    truth = seen[2:] + through - index
    shown = (np.abs(index + truth - (side - 1) / 2) <= side / 2).all(axis=0)
    fixed, tissue = seen[:1], ((seen[1:2] > 0.5) & shown).astype(np.float32)
    new = {"fixed_density": fixed, "tissue": tissue, "truth": truth.astype(np.float32)}
    return {**kept, **{name: torch.from_numpy(values) for name, values in new.items()}}


def laid(planes: Tensor, way: int) -> Tensor:
    """Square planes (C, H, H) in one of eight ways: mirrored across, down, and about the diagonal.

    Of two channels, a displacement field, the vectors are mirrored too.
    """
    field = len(planes) == 2
    for bit, axis in ((1, -1), (2, -2)):
        if way & bit:
            planes = planes.flip(axis)
            planes = (
                planes * torch.tensor([-1.0, 1.0][:: -1 if axis == -2 else 1])[:, None, None]
                if field
                else planes
            )
    if way & 4:
        planes = planes.transpose(-1, -2)
        planes = planes.flip(0) if field else planes
    return planes.contiguous()
