"""Generated tiles of two stains to train translations on, without end."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from stainbridge.learn.rounds import find_source
from stainbridge.phantom.block import BlockConfig
from stainbridge.phantom.patches import PatchConfig, Patches
from stainbridge.translation.objectives.pixels import pixels_to_tensor
from stainbridge.translation.objectives.task import TilePair
from stainbridge.translation.training.config import GeneratedTissueConfig

#: Added to the seed of unpaired targets, so that their tissue is other tissue.
UNPAIRED_SEED_OFFSET = 1 << 20


@dataclass(frozen=True)
class GeneratedTiles:
    """Tiles of tissue in two stains, by number: a `learn.task.Stream`.

    Raises `InputError` for stains and organs that are not known.
    """

    tissue: GeneratedTissueConfig
    """What tissue is generated."""
    source: str
    """The stain that is translated."""
    target: str
    """The stain that it is translated to."""
    tile_px: int
    """The side of a tile in pixels."""
    mpp: float
    """The pixel size in µm."""
    seed: int
    """Another seed gives other tiles."""
    paired: bool
    """Whether both tiles show the same or a neighbouring section, as `tissue` says.

    Otherwise each shows tissue of its own.
    """

    def __getitem__(self, number: int) -> TilePair:
        """Return the tiles of sample `number`."""
        tissue = self.tissue
        patch = patch_number(number, tissue.cached_blocks, tissue.tiles_per_block)
        source, target = self._tissues
        pair = source[patch]
        other = pair if self.paired else target[patch]
        return TilePair(pixels_to_tensor(pair.fixed), pixels_to_tensor(other.moving), self.paired)

    @cached_property
    def _tissues(self) -> tuple[Patches, Patches]:
        tissue = self.tissue
        block = BlockConfig(
            mpp=(self.mpp, self.mpp),
            stains=(self.source,),
            moving_stains=(self.target,),
            organs=tissue.organs,
            distance_um=tissue.distance_um,
            laboratory_variation=tissue.laboratory_variation,
            faint_share=0.0,
        )
        patches = PatchConfig(
            self.tile_px,
            0.0,
            0.0,
            tissue.shift_share,
            tissue.elastic_share,
            tissue.tiles_per_block,
            block,
            tissue.cached_blocks + 1,
        )
        return Patches(patches, self.seed), Patches(patches, self.seed + UNPAIRED_SEED_OFFSET)


def patch_number(number: int, cached_blocks: int, tiles_per_block: int) -> int:
    """Return the number of the patch that sample `number` is.

    Samples are taken from the cached blocks in turn; a block that is used up is replaced.
    """
    block, patch = find_source(number, cached_blocks, tiles_per_block)
    return block * tiles_per_block + patch
