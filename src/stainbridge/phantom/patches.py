"""Patches in bulk for training: pairs of neighbouring sections with the exact displacement between
them.

A block of structure is drawn once and yields many pairs: other stains, other places, other
deformations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import NamedTuple, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Space
from stainbridge.phantom.block import PatchBlock, BlockConfig, Rgb, draw_block
from stainbridge.phantom.space.randomness import derive_key, sample_noise
from stainbridge.types import Field, Mask

Places: TypeAlias = npt.NDArray[np.float64]  # (2, H, W): x and y

#: A block's side in patches' sides: room for turned and deformed patches at several places.
_BLOCK_SIDES = 2.2
#: Most of the change of a displacement from pixel to pixel along either axis: below 0.5 the map is
#: one to one.
_STEEPEST = 0.3


@dataclass(frozen=True)
class PatchConfig:
    """Patches of `size_px` a side cut from blocks, `pairs_per_block` from each.

    The displacement is a similarity of ± `rotation_deg`, ± `scale`, ± `shift` (of the side), and
    smooth noise of a root mean square up to `elastic` (of the side), held so that it cannot fold.
    Both patches are also turned and mirrored alike. `blocks_kept` blocks, those last used, are held
    for more patches. Raises `InputError` for values that make no patch.
    """

    size_px: int = 256
    rotation_deg: float = 15.0
    scale: float = 0.08
    shift: float = 0.06
    elastic: float = 0.02
    pairs_per_block: int = 12
    block: BlockConfig = field(default_factory=BlockConfig)
    blocks_kept: int = 2

    def __post_init__(self) -> None:
        if self.size_px < 32 or self.pairs_per_block < 1:
            raise InputError(
                "patches are too small or too few", got=(self.size_px, self.pairs_per_block)
            )
        if min(self.rotation_deg, self.scale, self.shift, self.elastic) < 0:
            raise InputError("deformations must not be negative")


class PatchPair(NamedTuple):
    """`fixed` and `moving`, (3, H, W) uint8, and how they correspond.

    Fixed pixel x shows what the moving patch shows at x + `displacement`, (2, H, W) float32 in
    pixels. `valid` (H, W) is tissue that both patches hold. `stains` are their names, `mpp` their
    pixel size in µm.
    """

    fixed: npt.NDArray[np.uint8]
    moving: npt.NDArray[np.uint8]
    displacement: Field
    valid: Mask
    stains: tuple[str, str]
    mpp: float


@dataclass(frozen=True)
class Patches:
    """Pairs of patches without end; number n is always the same for the same `config` and `seed`.

    Numbers of one block follow each other: read them in order, and split them between workers in
    runs of `config.pairs_per_block`. Thread-safe.
    """

    config: PatchConfig = field(default_factory=PatchConfig)
    seed: int = 0

    def __getitem__(self, number: int) -> PatchPair:
        """Pair `number`. Raises `InputError` for a negative one."""
        if number < 0:
            raise InputError("patches are numbered from 0", got=number)
        block = self._block(number // self.config.pairs_per_block)
        rng = np.random.default_rng(derive_key(self.seed, "patch", number))
        displacement = self._displacement(rng)
        moving_at = _grid(self.config.size_px)
        fixed_at = moving_at + displacement
        turned = self._turned(rng, len(block.tissue))
        fixed_stain, fixed = block.fixed[rng.integers(len(block.fixed))]
        moving_stain, moving = block.moving[rng.integers(len(block.moving))]
        seen, own = turned(fixed_at), turned(moving_at)
        valid = _sampled(block.tissue.view(np.uint8), seen, cv2.INTER_NEAREST) > 0
        valid &= (np.abs(fixed_at) <= (self.config.size_px - 1) / 2).all(axis=0)
        pictures = [np.moveaxis(_sampled(*pair), -1, 0) for pair in ((fixed, seen), (moving, own))]
        return PatchPair(
            pictures[0], pictures[1], displacement, valid, (fixed_stain, moving_stain), block.mpp
        )

    def __iter__(self) -> Iterator[PatchPair]:
        number = 0
        while True:
            yield self[number]
            number += 1

    @cached_property
    def _block(self) -> Callable[[int], PatchBlock]:
        return lru_cache(self.config.blocks_kept)(self._drawn_block)

    def _drawn_block(self, number: int) -> PatchBlock:
        rng = np.random.default_rng(derive_key(self.seed, "block", number))
        return draw_block(self.config.block, round(_BLOCK_SIDES * self.config.size_px), rng)

    def _displacement(self, rng: np.random.Generator) -> Field:
        """u, (2, H, W) px, with x + u(x) one to one: a similarity about the middle and smooth
        noise.
        """
        config, side = self.config, self.config.size_px
        angle, scale = (
            rng.uniform(-config.rotation_deg, config.rotation_deg),
            rng.uniform(-config.scale, config.scale),
        )
        linear = np.exp(scale) * _turn(np.deg2rad(angle)) - np.eye(2)
        shift = rng.uniform(-config.shift, config.shift, 2) * side
        frame, length = Space("patch", side, side).frame, side * rng.uniform(0.12, 0.5)
        waves = np.stack([sample_noise(frame, length, int(rng.integers(2**32))) for _ in "xy"])
        waves *= side * config.elastic * rng.uniform()
        steep = max(float(np.abs(np.diff(waves, axis=axis)).max()) for axis in (1, 2))
        waves *= min(1.0, _STEEPEST / max(steep, 1e-9))
        return np.asarray(
            np.tensordot(linear, _grid(side), 1) + shift[:, None, None] + waves, np.float32
        )

    def _turned(self, rng: np.random.Generator, block_px: int) -> Callable[[Places], Places]:
        """From pixels about a patch's middle to pixels of the block: the same turn and place for
        both patches.
        """
        turn = _turn(rng.uniform(0, 2 * np.pi)) @ np.diag([rng.choice([-1.0, 1.0]), 1.0])
        room = max(0.0, 0.5 * (block_px - 1.5 * self.config.size_px))
        middle = 0.5 * (block_px - 1) + rng.uniform(-room, room, 2)
        return lambda at: np.asarray(np.tensordot(turn, at, 1) + middle[:, None, None])


def _grid(side: int) -> Places:
    """Pixel centres about the middle of a patch, (2, H, W)."""
    axis = np.arange(side) - 0.5 * (side - 1)
    return np.stack(np.meshgrid(axis, axis))


def _turn(angle_rad: float) -> npt.NDArray[np.float64]:
    cos, sin = np.cos(angle_rad), np.sin(angle_rad)
    return np.array([[cos, -sin], [sin, cos]])


def _sampled(picture: Rgb, at: Places, how: int = cv2.INTER_LINEAR) -> npt.NDArray[np.uint8]:
    """`picture` (H, W) or (H, W, 3) at places (2, h, w)."""
    x, y = at.astype(np.float32)
    return np.asarray(cv2.remap(picture, x, y, how, borderMode=cv2.BORDER_REPLICATE))
