"""Tiles to train on from whole slides, read one by one where there is tissue."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame
from stainbridge.geometry.transform import Transform
from stainbridge.imaging.colour import tissue_density
from stainbridge.imaging.image import Image
from stainbridge.imaging.tissue import tissue_region
from stainbridge.slides.case import OpenSlideFunction
from stainbridge.slides.pool import SlidePool
from stainbridge.slides.slide import Slide
from stainbridge.slides.warped import WarpedSlide
from stainbridge.translation.objectives.task import TilePair
from stainbridge.translation.training.augment import Cut, scaled, shuffled, with_channels
from stainbridge.types import Mask

#: Tissue is looked for on overviews of this longer side; so many slides stay open in a process.
OVERVIEW_PX, OPEN = 1024, 16
#: So many places are tried for a tile with enough tissue that both slides show.
TRIES = 8


@dataclass(frozen=True, eq=False)
class SlidePair:
    """Two slides and, where it is known, how they lie on each other; `reverse` makes the moving one
    the source.
    """

    open_fixed: OpenSlideFunction
    open_moving: OpenSlideFunction
    moving_from_fixed: Transform | None = None
    reverse: bool = False

    def opened(self) -> tuple[Slide, Slide]:
        """Source and target, the moving one seen in the fixed one's space where it is known how
        they lie.
        """
        fixed, moving = self.open_fixed(), self.open_moving()
        if self.moving_from_fixed is not None:
            moving = WarpedSlide(moving, self.moving_from_fixed)
        return (moving, fixed) if self.reverse else (fixed, moving)


@dataclass(frozen=True, eq=False)
class Overview:
    """An open slide and its tissue region on a coarse frame, (h, w)."""

    slide: Slide
    frame: Frame
    region: Mask

    @classmethod
    def of(cls, slide: Slide) -> Overview:
        """Look at the slide.

        Raises `InputError` when it has no pixel size or no tissue is found on it.
        """
        if not slide.frame.calibrated:
            remedy = "give it in the manifest: fixed_mpp, moving_mpp"
            raise InputError("the slide has no pixel size", where=slide.info.path, remedy=remedy)
        image = slide.read(slide.frame.fit(OVERVIEW_PX))
        region = tissue_region(tissue_density(image))
        if not region.any():
            raise InputError("no tissue found", where=slide.info.path)
        return cls(slide, image.frame, region)

    def drawn(self, rng: np.random.Generator, side_px: int, mpp: float) -> tuple[Frame, float]:
        """The frame of a tile about a random point of the tissue, and the share of it that is
        tissue.

        Tiles lie on the grid of `mpp`, so that at a stored resolution nothing is interpolated.
        """
        rows, columns = np.nonzero(self.region)
        pick = int(rng.integers(len(rows)))
        middle = self.frame.to_um(
            np.array([[columns[pick], rows[pick]]]) + rng.uniform(0, 1, (1, 2))
        )[0]
        corner = mpp * np.round(middle / mpp - side_px / 2)
        frame = Frame(
            self.slide.frame.space,
            side_px,
            side_px,
            (mpp, mpp),
            (float(corner[0]), float(corner[1])),
        )
        low = np.floor(self.frame.to_px(corner[None])[0]).astype(int)
        high = np.maximum(
            np.ceil(self.frame.to_px(corner[None] + side_px * mpp)[0]).astype(int), low + 1
        )
        inside = self.region[max(low[1], 0) : max(high[1], 0), max(low[0], 0) : max(high[0], 0)]
        return frame, float(inside.sum()) / float(np.prod(high - low))


@dataclass(frozen=True, eq=False)
class OpenPair:
    """The overviews of an open source and target slide."""

    source: Overview
    target: Overview

    def close(self) -> None:
        """Close both slides."""
        self.source.slide.close()
        self.target.slide.close()


def open_pair(pairs: Sequence[SlidePair], number: int) -> OpenPair:
    """Open pair `number` and look at its slides; raise as `Overview.of` does."""
    with ExitStack() as stack:
        slides = pairs[number].opened()
        for slide in slides:
            stack.callback(slide.close)
        pair = OpenPair(Overview.of(slides[0]), Overview.of(slides[1]))
        stack.pop_all()  # they stay open
    return pair


@dataclass(frozen=True, eq=False)
class SlideStream:
    """Tiles of `tile_px` at `mpp` µm a pixel from pairs of slides, a share of `min_tissue` of them
    tissue if possible.

    `paired` ones are of one place of both slides, others of any place of each. A
    `learn.task.Stream`: sample i of a seed is always the same. Raises `InputError` for pairs of
    which it is not known how they lie where that is needed, slides without tissue or with other
    channels, and slides without a pixel size.
    """

    pairs: Sequence[SlidePair]
    tile_px: int
    mpp: float
    channels: tuple[int, int]
    seed: int
    paired: bool
    min_tissue: float = 0.7
    turned: bool = True
    _pool: SlidePool[int, OpenPair] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not self.pairs:
            raise InputError("no slides to train on", expected="at least one pair")
        object.__setattr__(self, "_pool", SlidePool(partial(open_pair, self.pairs), OPEN))
        unknown = [
            number for number, pair in enumerate(self.pairs, 1) if pair.moving_from_fixed is None
        ]
        if self.paired and unknown:
            raise InputError(
                "it is not known how the slides lie on each other",
                where=f"pair {unknown[0]}",
                expected="a transform",
                remedy="add the column transform with what stainbridge register wrote, or train with cyclegan",
            )

    def __getitem__(self, number: int) -> TilePair:
        """Sample `number`."""
        with self._pool.borrow(shuffled(self.seed, number, len(self.pairs))) as pair:
            return self._tiles(np.random.default_rng([self.seed, number]), pair)

    def _tiles(self, rng: np.random.Generator, pair: OpenPair) -> TilePair:
        turn = self._turn(rng)
        if self.paired:
            (source, target), other = self._both(rng, pair.source, pair.target), turn
        else:
            source, target = self._one(rng, pair.source), self._one(rng, pair.target)
            other = self._turn(rng)
        pixels = with_channels(source.pixels, self.channels[0], pair.source.slide.info.path)
        wanted = with_channels(target.pixels, self.channels[1], pair.target.slide.info.path)
        return TilePair(scaled(turn(pixels)), scaled(other(wanted)), self.paired)

    def _turn(self, rng: np.random.Generator) -> Cut:
        return Cut.drawn(rng, self.tile_px, self.tile_px, self.tile_px, self.turned)

    def _one(self, rng: np.random.Generator, overview: Overview) -> Image:
        best, most = overview.drawn(rng, self.tile_px, self.mpp)
        for _ in range(TRIES - 1):
            if most >= self.min_tissue:
                break
            frame, share = overview.drawn(rng, self.tile_px, self.mpp)
            best, most = (frame, share) if share > most else (best, most)
        return overview.slide.read(best)

    def _both(
        self, rng: np.random.Generator, source: Overview, target: Overview
    ) -> tuple[Image, Image]:
        """The same place of both, the one both slides hold most of among those tried."""
        found: tuple[Image, Image] | None = None
        most = -1.0
        for _ in range(TRIES):
            first = self._one(rng, source)
            second = target.slide.read(first.frame)
            held = float((first.valid & second.valid).mean())
            if held > most:
                found, most = (first, second), held
            if held == 1:
                break
        assert found is not None  # something was tried
        return found

    def close(self) -> None:
        """Release the slides that are open in this process."""
        self._pool.close()
