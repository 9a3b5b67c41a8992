"""Squares of generated tissue in any stain, without end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import numpy as np

from stainbridge.datasets.generated_tiles import place_of
from stainbridge.phantom.block import PatchBlock, BlockConfig, draw_block
from stainbridge.phantom.space.randomness import derive_key
from stainbridge.phantom.staining.library import STAINS
from stainbridge.translation.training.augment import Cut
from stainbridge.types import Pixels

#: A block's side in squares' sides, squares from each block, and blocks that are at hand.
BLOCK_SIDES, PER_BLOCK, AT_HAND = 6, 64, 4
BRIGHT = tuple(name for name, stain in STAINS.items() if not stain.fluorescent)


@dataclass(frozen=True)
class GeneratedSquares:
    """Squares of `side_px` of tissue stained for bright field, at pixel sizes in the range `mpp` of
    µm.

    Square i of a seed is always the same. Raises `InputError` for pixel sizes that cannot be drawn.
    """

    side_px: int
    seed: int
    mpp: tuple[float, float] = (0.5, 2.0)
    config: BlockConfig = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "config", BlockConfig(mpp=self.mpp, stains=BRIGHT))

    def __getitem__(self, number: int) -> Pixels:
        """Square `number`, (3, side, side)."""
        rng = np.random.default_rng([self.seed, number])
        block = self._block(place_of(number, AT_HAND, PER_BLOCK) // PER_BLOCK)
        pictures = [picture for _, picture in (*block.fixed, *block.moving)]
        picture = np.moveaxis(pictures[rng.integers(len(pictures))], -1, 0)
        height, width = picture.shape[1:]
        return Cut.drawn(rng, height, width, self.side_px, True)(picture)

    @cached_property
    def _block(self) -> Callable[[int], PatchBlock]:
        return lru_cache(AT_HAND + 1)(self._drawn)

    def _drawn(self, number: int) -> PatchBlock:
        rng = np.random.default_rng(derive_key(self.seed, "squares", number))
        return draw_block(self.config, BLOCK_SIDES * self.side_px, rng)
