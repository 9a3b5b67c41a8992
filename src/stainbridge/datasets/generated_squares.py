"""Squares of generated tissue in any stain, without end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import numpy as np

from stainbridge.datasets.generated_tiles import patch_number
from stainbridge.phantom.block import BlockConfig, PatchBlock, draw_block
from stainbridge.phantom.space.randomness import derive_key
from stainbridge.phantom.staining.library import STAINS
from stainbridge.translation.training.augment import TileCrop
from stainbridge.types import Pixels

#: The side of a block in sides of a square: room for different squares.
BLOCK_SIDES = 6
#: Squares that are taken from each block before it is replaced.
SQUARES_PER_BLOCK = 64
#: Blocks that squares are taken from in turn.
CACHED_BLOCKS = 4
#: The stains for bright field.
BRIGHTFIELD_STAINS = tuple(name for name, stain in STAINS.items() if not stain.fluorescent)


@dataclass(frozen=True)
class GeneratedSquares:
    """Squares of tissue stained for bright field, by number.

    A number and a seed always give the same square. Raises `InputError` for pixel sizes that
    cannot be drawn.
    """

    side_px: int
    """The side of a square in pixels."""
    seed: int
    """Another seed gives other squares."""
    mpp: tuple[float, float] = (0.5, 2.0)
    """The range of pixel sizes in µm."""
    config: BlockConfig = field(init=False)
    """What the tissue is drawn from."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "config", BlockConfig(mpp=self.mpp, stains=BRIGHTFIELD_STAINS))

    def __getitem__(self, number: int) -> Pixels:
        """Return square `number`, (3, side, side)."""
        rng = np.random.default_rng([self.seed, number])
        block = self._block(
            patch_number(number, CACHED_BLOCKS, SQUARES_PER_BLOCK) // SQUARES_PER_BLOCK
        )
        pictures = [picture for _, picture in (*block.fixed, *block.moving)]
        picture = np.moveaxis(pictures[rng.integers(len(pictures))], -1, 0)
        height, width = picture.shape[1:]
        return TileCrop.draw(rng, height, width, self.side_px, True)(picture)

    @cached_property
    def _block(self) -> Callable[[int], PatchBlock]:
        return lru_cache(CACHED_BLOCKS + 1)(self._draw_block)

    def _draw_block(self, number: int) -> PatchBlock:
        rng = np.random.default_rng(derive_key(self.seed, "squares", number))
        return draw_block(self.config, BLOCK_SIDES * self.side_px, rng)
