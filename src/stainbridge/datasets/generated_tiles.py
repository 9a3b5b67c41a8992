"""Generated tiles of two stains to train translations on, without end."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from stainbridge.phantom.block import BlockConfig
from stainbridge.phantom.patches import PatchConfig, Patches
from stainbridge.translation.objectives.task import Tiles
from stainbridge.translation.training.augment import scaled
from stainbridge.translation.training.training import GeneratedTissue

#: Added to a seed for tissue of its own.
ELSEWHERE = 1 << 20


@dataclass(frozen=True)
class GeneratedTiles:
    """Squares of `tile_px` at `mpp` µm a pixel of tissue stained with `source` and `target`. A
    `learn.task.Stream`.

    `paired` ones show the same or a neighbouring section, as `tissue` says; others each tissue of
    its own. Raises `InputError` for stains and organs that are not known.
    """

    tissue: GeneratedTissue
    source: str
    target: str
    tile_px: int
    mpp: float
    seed: int
    paired: bool

    def __getitem__(self, number: int) -> Tiles:
        """Sample `number`."""
        tissue = self.tissue
        place = place_of(number, tissue.at_hand, tissue.per_block)
        source, target = self._tissues
        pair = source[place]
        other = pair if self.paired else target[place]
        return Tiles(scaled(pair.fixed), scaled(other.moving), self.paired)

    @cached_property
    def _tissues(self) -> tuple[Patches, Patches]:
        tissue = self.tissue
        block = BlockConfig(
            mpp=(self.mpp, self.mpp),
            stains=(self.source,),
            moving_stains=(self.target,),
            organs=tissue.organs,
            distance_um=tissue.distance_um,
            laboratory=tissue.laboratory,
            faint=0.0,
        )
        patches = PatchConfig(
            self.tile_px,
            0.0,
            0.0,
            tissue.shift,
            tissue.elastic,
            tissue.per_block,
            block,
            tissue.at_hand + 1,
        )
        return Patches(patches, self.seed), Patches(patches, self.seed + ELSEWHERE)


def place_of(number: int, at_hand: int, per_block: int) -> int:
    """Which patch sample `number` is: samples go round `at_hand` blocks, each of which is used up
    and then replaced.
    """
    turn, slot = divmod(number, at_hand)
    generation, patch = divmod(turn + slot * per_block // at_hand, per_block)
    return (generation * at_hand + slot) * per_block + patch
