"""Samples that are made once and shown again and again: what a few cores train on, for whom making them costs most."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from stainbridge.register.training.augment import recoloured
from stainbridge.register.training.stream import PairStream, Sample
from stainbridge.whole import whole_file

#: What is kept of a sample; what a network sees is coloured anew from the densities.
KEPT = ("fixed_density", "moving_density", "tissue", "truth")


@dataclass(frozen=True)
class KeptStream:
    """The first `config.kept` samples of `stream`, in half precision in `folder`. A `learn.task.Stream`.

    First in their order, then over and over in others; each time turned by quarters and mirrored, both pictures alike,
    and in new contrasts, as number and seed say. Pictures must be square. Raises `InputError` as the stream does.
    """

    stream: PairStream
    folder: Path

    def __getitem__(self, number: int) -> Sample:
        """Sample `number`."""
        rng = np.random.default_rng([self.stream.seed, number, 1])
        way = int(rng.integers(8))
        kept = {name: laid(plane, way) for name, plane in self._kept(number).items()}
        fixed, moving = (
            torch.from_numpy(recoloured(rng, kept[f"{side}_density"][0].numpy(), self.stream.config.augment))[None]
            for side in ("fixed", "moving")
        )
        return Sample(fixed, moving, *(kept[name] for name in KEPT))

    def _kept(self, number: int) -> dict[str, Tensor]:
        path = self.folder / f"{self._index(number):06d}.npz"
        if not path.exists():
            sample = self.stream[self._index(number)]
            self.folder.mkdir(parents=True, exist_ok=True)
            with whole_file(path) as temporary, temporary.open("wb") as file:
                np.savez(file, **{name: getattr(sample, name).half().numpy() for name in KEPT})
        with np.load(path) as planes:
            return {name: torch.from_numpy(planes[name].astype(np.float32)) for name in KEPT}

    def _index(self, number: int) -> int:
        turn, index = divmod(number, self.stream.config.kept)
        if turn == 0:  # neighbours in the stream share a pair
            return index
        order = np.random.default_rng([self.stream.seed, turn, 2]).permutation(self.stream.config.kept)
        return int(order[index])


def laid(planes: Tensor, way: int) -> Tensor:
    """Square planes (C, H, H) in one of eight ways: mirrored across, down, and about the diagonal.

    Of two channels, a displacement field, the vectors are mirrored too.
    """
    field = len(planes) == 2
    for bit, axis in ((1, -1), (2, -2)):
        if way & bit:
            planes = planes.flip(axis)
            planes = planes * torch.tensor([-1.0, 1.0][:: -1 if axis == -2 else 1])[:, None, None] if field else planes
    if way & 4:
        planes = planes.transpose(-1, -2)
        planes = planes.flip(0) if field else planes
    return planes.contiguous()
