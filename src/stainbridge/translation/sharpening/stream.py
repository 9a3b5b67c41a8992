"""Tiles to learn sharpening from: sharp ones, and the same down-sampled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame
from stainbridge.slides.open import open_slide
from stainbridge.slides.pool import SlidePool
from stainbridge.slides.slide import Slide
from stainbridge.translation.inference.tissue_map import TissueMap
from stainbridge.translation.sharpening.task import Sharp
from stainbridge.translation.training.augment import Cut, scaled, shuffled, with_channels
from stainbridge.types import Pixels

#: So many slides stay open in a process; so many places are tried for one that is tissue to this
#: share.
OPEN, TRIES, TISSUE = 16, 8, 0.9


class Squares(Protocol):
    """Sharp squares by number, without end; number i is always the same."""

    def __getitem__(self, number: int) -> Pixels:
        """Square `number`, (C, H, W) of 8 bits."""
        ...


@dataclass(frozen=True, eq=False)
class SharpenStream:
    """`squares` and what is left of them at 1 / `factor` of the resolution. A `learn.task.Stream`."""

    squares: Squares
    factor: int

    def __getitem__(self, number: int) -> Sharp:
        """Sample `number`."""
        fine = scaled(self.squares[number])
        return Sharp(reduced(fine, self.factor), fine)


def reduced(fine: Tensor, factor: int) -> Tensor:
    """(C, H, W) in −1 … 1 to (C, H / factor, W / factor): bicubic, anti-aliased, in steps of 8 bits
    as files have.
    """
    size = (fine.shape[1] // factor, fine.shape[2] // factor)
    small = F.interpolate(fine[None], size=size, mode="bicubic", antialias=True)[0]
    return torch.round((small.clamp(-1, 1) + 1) * 127.5) / 127.5 - 1


@dataclass(frozen=True, eq=False)
class MappedSlide:
    """An open slide, the frame that squares are cut from, and its tissue map."""

    slide: Slide
    frame: Frame
    tissue: TissueMap

    def close(self) -> None:
        """Close the slide."""
        self.slide.close()


def open_mapped(side_px: int, mpp: float | None, path: Path) -> MappedSlide:
    """Open a slide at `mpp` µm a pixel, or full resolution.

    Raises `InputError` when it holds no square of `side_px`.
    """
    slide = open_slide(path)
    frame = slide.frame.at_mpp(mpp) if mpp and slide.frame.calibrated else slide.frame
    if min(frame.width, frame.height) < side_px:
        slide.close()
        got = f"{frame.width} x {frame.height}"
        raise InputError("smaller than a tile", where=path, expected=side_px, got=got)
    return MappedSlide(slide, frame, TissueMap.of(slide))


@dataclass(frozen=True, eq=False)
class SlideSquares:
    """Squares of `side_px` from slides or pictures, where there is tissue; at `mpp` µm a pixel, or
    full resolution.

    Raises `InputError` for files that cannot be read or have other channels or none of that size.
    """

    paths: Sequence[Path]
    side_px: int
    seed: int
    mpp: float | None = None
    channels: int = 3
    _pool: SlidePool[Path, MappedSlide] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not self.paths:
            raise InputError("no slides or pictures to train on", expected="at least one")
        pool = SlidePool(partial(open_mapped, self.side_px, self.mpp), OPEN)
        object.__setattr__(self, "_pool", pool)

    def __getitem__(self, number: int) -> Pixels:
        """Square `number`, any way round."""
        path = self.paths[shuffled(self.seed, number, len(self.paths))]
        with self._pool.borrow(path) as mapped:
            return self._square(np.random.default_rng([self.seed, number]), mapped)

    def _square(self, rng: np.random.Generator, mapped: MappedSlide) -> Pixels:
        best, most = self._drawn(rng, mapped.frame, mapped.tissue)
        for _ in range(TRIES - 1):
            if most >= TISSUE:
                break
            place, share = self._drawn(rng, mapped.frame, mapped.tissue)
            best, most = (place, share) if share > most else (best, most)
        slide = mapped.slide
        pixels = with_channels(slide.read(best).pixels, self.channels, slide.info.path)
        return replace(Cut.drawn(rng, self.side_px, self.side_px, self.side_px, True), x=0, y=0)(
            pixels
        )

    def _drawn(
        self, rng: np.random.Generator, frame: Frame, tissue: TissueMap
    ) -> tuple[Frame, float]:
        x, y = (
            int(rng.integers(length - self.side_px + 1)) for length in (frame.width, frame.height)
        )
        place = frame.crop(x, y, self.side_px, self.side_px)
        return place, float(tissue.on(place.at_mpp((8 * place.mpp[0], 8 * place.mpp[1]))).mean())
