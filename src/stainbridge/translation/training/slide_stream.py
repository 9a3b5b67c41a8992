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
from stainbridge.imaging.image import Image
from stainbridge.learn.rounds import shuffle_index
from stainbridge.slides.case import OpenSlideFunction
from stainbridge.slides.overview import read_overview
from stainbridge.slides.pool import SlidePool
from stainbridge.slides.slide import Slide
from stainbridge.slides.warped import WarpedSlide
from stainbridge.translation.objectives.pixels import match_channels, pixels_to_tensor
from stainbridge.translation.objectives.task import TilePair
from stainbridge.translation.training.augment import TileCrop
from stainbridge.types import Mask, Pixels

#: Longer side of the overview on which tissue is looked for, in pixels.
OVERVIEW_PX = 1024
#: Pairs of slides that stay open in a process.
OPEN_PAIRS = 16
#: Places that are tried for a tile with enough tissue, and for one that both slides show.
TRIES = 8


@dataclass(frozen=True, eq=False)
class TrainingSlides:
    """Two slides to draw tiles from and, where it is known, the transform between them."""

    open_fixed: OpenSlideFunction
    """Opens the fixed slide."""
    open_moving: OpenSlideFunction
    """Opens the moving slide."""
    moving_from_fixed: Transform | None = None
    """The transform from the fixed to the moving slide."""
    reverse: bool = False
    """Whether the moving slide is the source."""

    def open(self) -> tuple[Slide, Slide]:
        """Open source and target; the moving one is warped onto the fixed one where it can be."""
        fixed = self.open_fixed()
        moving = self.open_moving()
        if self.moving_from_fixed is not None:
            moving = WarpedSlide(moving, self.moving_from_fixed)
        return (moving, fixed) if self.reverse else (fixed, moving)


@dataclass(frozen=True, eq=False)
class TissueSampler:
    """Draws places of tissue on an open slide."""

    slide: Slide
    """The slide."""
    frame: Frame
    """The coarse frame of `region`."""
    region: Mask
    """Where there is tissue, (h, w)."""

    @classmethod
    def of_slide(cls, slide: Slide) -> TissueSampler:
        """Find the tissue of a slide.

        Raises `InputError` when it has no pixel size or no tissue is found on it.
        """
        if not slide.frame.calibrated:
            remedy = (
                "give it in the manifest (fixed_mpp, moving_mpp), and to register"
                " (--fixed-mpp, --moving-mpp)"
            )
            raise InputError("the slide has no pixel size", where=slide.info.path, remedy=remedy)
        overview = read_overview(slide, OVERVIEW_PX).require_tissue()
        return cls(slide, overview.frame, overview.region)

    def draw(self, rng: np.random.Generator, side_px: int, mpp: float) -> tuple[Frame, float]:
        """Draw the frame of a tile around a random point of the tissue.

        Returns also the share of the tile that is tissue. Tiles lie on the grid of `mpp`, so that
        at a stored resolution nothing is interpolated.
        """
        rows, columns = np.nonzero(self.region)
        pick = int(rng.integers(len(rows)))
        pixel = np.array([[columns[pick], rows[pick]]]) + rng.uniform(0, 1, (1, 2))
        middle = self.frame.to_um(pixel)[0]
        corner = mpp * np.round(middle / mpp - side_px / 2)
        origin = (float(corner[0]), float(corner[1]))
        frame = Frame(self.slide.frame.space, side_px, side_px, (mpp, mpp), origin)
        low = np.floor(self.frame.to_px(corner[None])[0]).astype(int)
        high = np.ceil(self.frame.to_px(corner[None] + side_px * mpp)[0]).astype(int)
        high = np.maximum(high, low + 1)
        inside = self.region[max(low[1], 0) : max(high[1], 0), max(low[0], 0) : max(high[0], 0)]
        return frame, float(inside.sum()) / float(np.prod(high - low))


@dataclass(frozen=True, eq=False)
class OpenPair:
    """Samplers of an open source and target slide."""

    source: TissueSampler
    """Of the source slide."""
    target: TissueSampler
    """Of the target slide."""

    def close(self) -> None:
        """Close both slides."""
        self.source.slide.close()
        self.target.slide.close()


def open_pair(pairs: Sequence[TrainingSlides], number: int) -> OpenPair:
    """Open pair `number` and find its tissue; raise as `TissueSampler.of_slide` does."""
    with ExitStack() as stack:
        slides = pairs[number].open()
        for slide in slides:
            stack.callback(slide.close)
        pair = OpenPair(TissueSampler.of_slide(slides[0]), TissueSampler.of_slide(slides[1]))
        stack.pop_all()  # they stay open
    return pair


@dataclass(frozen=True, eq=False)
class SlideStream:
    """Tiles from pairs of slides. A `learn.task.Stream`: sample i of a seed is always the same.

    Raises `InputError` for pairs without a transform where one is needed, slides without tissue or
    with other channels, and slides without a pixel size.
    """

    pairs: Sequence[TrainingSlides]
    """The slides."""
    tile_px: int
    """Side of a tile, in pixels."""
    mpp: float
    """Pixel size of the tiles, in µm."""
    channels: tuple[int, int]
    """Channels of source and target."""
    seed: int
    """Draws places, orientations and the order of the pairs."""
    paired: bool
    """Whether both tiles are of one place; else each is of a place of its own."""
    min_tissue: float = 0.7
    """Share of a tile that should be tissue, 0 to 1."""
    rotate_and_flip: bool = True
    """Whether tiles are turned and mirrored at random."""
    _pool: SlidePool[int, OpenPair] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not self.pairs:
            raise InputError("no slides to train on", expected="at least one pair")
        object.__setattr__(self, "_pool", SlidePool(partial(open_pair, self.pairs), OPEN_PAIRS))
        unaligned = [
            number for number, pair in enumerate(self.pairs, 1) if pair.moving_from_fixed is None
        ]
        if self.paired and unaligned:
            raise InputError(
                "no transform between the slides",
                where=f"pair {unaligned[0]}",
                expected="a transform",
                remedy="add the column transform with what stainbridge register wrote, or train "
                "with cyclegan",
            )

    def __getitem__(self, number: int) -> TilePair:
        """Return sample `number`."""
        with self._pool.borrow(shuffle_index(number, len(self.pairs), self.seed)) as pair:
            return self._draw_tiles(np.random.default_rng([self.seed, number]), pair)

    def close(self) -> None:
        """Close the slides that are open in this process."""
        self._pool.close()

    def _draw_tiles(self, rng: np.random.Generator, pair: OpenPair) -> TilePair:
        source_crop = self._draw_crop(rng)
        if self.paired:
            source, target = self._read_both(rng, pair)
            target_crop = source_crop
        else:
            source = self._read_one(rng, pair.source)
            target = self._read_one(rng, pair.target)
            target_crop = self._draw_crop(rng)
        source_pixels = self._match(source, self.channels[0], pair.source)
        target_pixels = self._match(target, self.channels[1], pair.target)
        return TilePair(
            pixels_to_tensor(source_crop(source_pixels)),
            pixels_to_tensor(target_crop(target_pixels)),
            self.paired,
        )

    def _draw_crop(self, rng: np.random.Generator) -> TileCrop:
        """Draw the orientation of a whole tile."""
        return TileCrop.draw(rng, self.tile_px, self.tile_px, self.tile_px, self.rotate_and_flip)

    def _match(self, image: Image, channels: int, sampler: TissueSampler) -> Pixels:
        return match_channels(image.pixels, channels, sampler.slide.info.path)

    def _read_one(self, rng: np.random.Generator, sampler: TissueSampler) -> Image:
        """Read the tile with most tissue of those tried until one has enough."""
        best_frame, best_share = sampler.draw(rng, self.tile_px, self.mpp)
        for _ in range(TRIES - 1):
            if best_share >= self.min_tissue:
                break
            frame, share = sampler.draw(rng, self.tile_px, self.mpp)
            if share > best_share:
                best_frame, best_share = frame, share
        return sampler.slide.read(best_frame)

    def _read_both(self, rng: np.random.Generator, pair: OpenPair) -> tuple[Image, Image]:
        """Read one place of both slides: of those tried the one that both show most of."""
        best: tuple[Image, Image] | None = None
        best_share = -1.0
        for _ in range(TRIES):
            source = self._read_one(rng, pair.source)
            target = pair.target.slide.read(source.frame)
            share = float((source.valid & target.valid).mean())
            if share > best_share:
                best, best_share = (source, target), share
            if share == 1:
                break
        assert best is not None  # something was tried
        return best
