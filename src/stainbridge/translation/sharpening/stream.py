"""Tiles to learn sharpening from: sharp ones and the same down-sampled."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame
from stainbridge.learn.rounds import shuffle_index
from stainbridge.slides.open import open_slide
from stainbridge.slides.pool import SlidePool
from stainbridge.slides.slide import Slide
from stainbridge.translation.inference.tissue_map import TissueMap
from stainbridge.translation.objectives.pixels import match_channels, pixels_to_tensor
from stainbridge.translation.sharpening.task import SharpenPair
from stainbridge.translation.training.augment import TileCrop
from stainbridge.types import Pixels

#: Slides that stay open in a process.
OPEN_SLIDES = 16
#: Places that are tried for a square of tissue.
TRIES = 8
#: Share of a square that should be tissue; the weights of a tissue map fall off softly.
MIN_TISSUE = 0.9
#: Pixels of a square for each one at which the tissue map is looked at.
TISSUE_STEP_PX = 8


class SquareStream(Protocol):
    """Sharp squares by number, without end; number i is always the same."""

    def __getitem__(self, number: int) -> Pixels:
        """Return square `number`, (C, H, W) of 8 bits."""
        ...


@dataclass(frozen=True, eq=False)
class SharpenStream:
    """Sharp squares and the same down-sampled. A `learn.task.Stream`."""

    squares: SquareStream
    """The sharp squares."""
    factor: int
    """Sharp pixels a side for each down-sampled one."""

    def __getitem__(self, number: int) -> SharpenPair:
        """Return sample `number`."""
        fine = pixels_to_tensor(self.squares[number])
        return SharpenPair(downsample(fine, self.factor), fine)


def downsample(fine: Tensor, factor: int) -> Tensor:
    """Reduce (C, H, W) in −1 … 1 to (C, H / factor, W / factor).

    Bicubic and anti-aliased, in steps of 8 bits, as files have.
    """
    size = (fine.shape[1] // factor, fine.shape[2] // factor)
    coarse = F.interpolate(fine[None], size=size, mode="bicubic", antialias=True)[0]
    return torch.round((coarse.clamp(-1, 1) + 1) * 127.5) / 127.5 - 1


@dataclass(frozen=True, eq=False)
class SlideWithTissue:
    """An open slide and where its tissue is."""

    slide: Slide
    """The slide."""
    frame: Frame
    """The frame that squares are cropped from."""
    tissue: TissueMap
    """Where there is tissue."""

    def close(self) -> None:
        """Close the slide."""
        self.slide.close()


def open_with_tissue(side_px: int, mpp: float | None, path: Path) -> SlideWithTissue:
    """Open a slide at `mpp` µm a pixel, or full resolution.

    Raises `InputError` when it holds no square of `side_px`.
    """
    with ExitStack() as stack:
        slide = stack.enter_context(open_slide(path))
        frame = slide.frame.at_mpp(mpp) if mpp and slide.frame.calibrated else slide.frame
        if min(frame.width, frame.height) < side_px:
            got = f"{frame.width} x {frame.height}"
            raise InputError("smaller than a tile", where=path, expected=side_px, got=got)
        opened = SlideWithTissue(slide, frame, TissueMap.of_slide(slide))
        stack.pop_all()  # nothing failed: the slide is the caller's to close
    return opened


@dataclass(frozen=True, eq=False)
class SlideSquares:
    """Squares from slides or pictures, where there is tissue.

    Raises `InputError` for files that cannot be read, have other channels or are smaller than a
    square.
    """

    paths: Sequence[Path]
    """The slides and pictures."""
    side_px: int
    """Side of a square, in pixels."""
    seed: int
    """Draws places, orientations and the order of the files."""
    mpp: float | None = None
    """Pixel size in µm; None is each file's full resolution."""
    channels: int = 3
    """Channels of a square."""
    _pool: SlidePool[Path, SlideWithTissue] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not self.paths:
            raise InputError("no slides or pictures to train on", expected="at least one")
        pool = SlidePool(partial(open_with_tissue, self.side_px, self.mpp), OPEN_SLIDES)
        object.__setattr__(self, "_pool", pool)

    def __getitem__(self, number: int) -> Pixels:
        """Return square `number`, in any of eight orientations."""
        path = self.paths[shuffle_index(number, len(self.paths), self.seed)]
        with self._pool.borrow(path) as mapped:
            return self._read_square(np.random.default_rng([self.seed, number]), mapped)

    def _read_square(self, rng: np.random.Generator, mapped: SlideWithTissue) -> Pixels:
        """Read the square with most tissue of those tried until one has enough."""
        best_frame, best_share = self._draw_frame(rng, mapped)
        for _ in range(TRIES - 1):
            if best_share >= MIN_TISSUE:
                break
            frame, share = self._draw_frame(rng, mapped)
            if share > best_share:
                best_frame, best_share = frame, share
        slide = mapped.slide
        pixels = match_channels(slide.read(best_frame).pixels, self.channels, slide.info.path)
        crop = TileCrop.draw(rng, self.side_px, self.side_px, self.side_px, True)
        return crop(pixels)

    def _draw_frame(self, rng: np.random.Generator, mapped: SlideWithTissue) -> tuple[Frame, float]:
        """Draw a square, and return the mean weight of its tissue with it."""
        x = int(rng.integers(mapped.frame.width - self.side_px + 1))
        y = int(rng.integers(mapped.frame.height - self.side_px + 1))
        frame = mapped.frame.crop(x, y, self.side_px, self.side_px)
        mpp_x, mpp_y = frame.mpp
        coarse = frame.at_mpp((TISSUE_STEP_PX * mpp_x, TISSUE_STEP_PX * mpp_y))
        return frame, float(mapped.tissue.sample(coarse).mean())
