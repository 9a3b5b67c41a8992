"""Patches in bulk for training: pairs of neighbouring sections with the exact displacement.

A block of structure is drawn once and yields many pairs: other stains, places and deformations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Annotated, NamedTuple, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Space
from stainbridge.phantom.block import BlockConfig, PatchBlock, Rgb, draw_block
from stainbridge.phantom.space.pickling import PickledByFields
from stainbridge.phantom.space.randomness import derive_key, sample_noise
from stainbridge.ranges import Share, Within, check_ranges
from stainbridge.types import Field, Mask

PixelGrid: TypeAlias = npt.NDArray[np.float64]  # (2, H, W): x and y in pixels

#: A block's side in patches' sides: room for rotated and deformed patches at several places.
_BLOCK_SIDES = 2.2
#: Largest change of a displacement from pixel to pixel along either axis; below 0.5 the map is one
#: to one.
_MAX_GRADIENT = 0.3


@dataclass(frozen=True)
class PatchConfig:
    """What patches to cut.

    The moving patch is displaced by a similarity and by smooth noise that cannot fold. Both patches
    are also rotated and mirrored together.

    Raises `InputError` for values that make no patch.
    """

    size_px: Annotated[int, Within(32, 8192)] = 256
    """Side of a patch in pixels."""
    rotation_deg: Annotated[float, Within(0, 180)] = 15.0
    """Range of the rotation, ± degrees."""
    scale: Annotated[float, Within(0, 2)] = 0.08
    """Range of the logarithm of the scale, ±."""
    shift: Share = 0.06
    """Range of the shift, ± as a share of the side."""
    elastic: Share = 0.02
    """Largest root mean square of the smooth noise, as a share of the side."""
    pairs_per_block: Annotated[int, Within(1, 1_000_000)] = 12
    """How many pairs are cut from one block."""
    block: BlockConfig = field(default_factory=BlockConfig)
    """What blocks to cut from."""
    cached_blocks: Annotated[int, Within(1, 10000)] = 2
    """How many of the last used blocks are kept in memory."""

    def __post_init__(self) -> None:
        check_ranges(self)


class PatchPair(NamedTuple):
    """Two patches and how they correspond."""

    fixed: npt.NDArray[np.uint8]
    """The fixed patch, (3, H, W)."""
    moving: npt.NDArray[np.uint8]
    """The moving patch, (3, H, W)."""
    displacement: Field
    """Pixels: fixed pixel x shows what the moving patch shows at x + displacement, (2, H, W)."""
    valid: Mask
    """Tissue that both patches show, (H, W) on the fixed patch."""
    stains: tuple[str, str]
    """Names of the fixed and the moving stain."""
    mpp: float
    """Pixel size in µm."""


@dataclass(frozen=True)
class Patches(PickledByFields):
    """An endless sequence of pairs of patches; pair n depends only on `config` and `seed`.

    Numbers of one block follow each other: read them in order, and split them between workers in
    runs of `config.pairs_per_block`. Thread-safe.
    """

    config: PatchConfig = field(default_factory=PatchConfig)
    """What patches to cut."""
    seed: int = 0
    """Seed of everything that is drawn."""

    def __getitem__(self, number: int) -> PatchPair:
        """Return pair `number`. Raise `InputError` for a negative one."""
        if number < 0:
            raise InputError("patches are numbered from 0", got=number)
        block = self._draw_cached_block(number // self.config.pairs_per_block)
        rng = np.random.default_rng(derive_key(self.seed, "patch", number))
        displacement = self._sample_displacement(rng)
        moving_grid = _make_grid(self.config.size_px)
        fixed_grid = moving_grid + displacement
        to_block = self._sample_placement(rng, len(block.tissue))
        fixed_stain, fixed_picture = block.fixed[rng.integers(len(block.fixed))]
        moving_stain, moving_picture = block.moving[rng.integers(len(block.moving))]
        fixed_places = to_block(fixed_grid)
        fixed = np.moveaxis(_sample_picture(fixed_picture, fixed_places), -1, 0)
        moving = np.moveaxis(_sample_picture(moving_picture, to_block(moving_grid)), -1, 0)
        tissue = block.tissue.view(np.uint8)
        valid = _sample_picture(tissue, fixed_places, cv2.INTER_NEAREST) > 0
        valid &= (np.abs(fixed_grid) <= (self.config.size_px - 1) / 2).all(axis=0)
        return PatchPair(fixed, moving, displacement, valid, (fixed_stain, moving_stain), block.mpp)

    def __iter__(self) -> Iterator[PatchPair]:
        number = 0
        while True:
            yield self[number]
            number += 1

    @cached_property
    def _draw_cached_block(self) -> Callable[[int], PatchBlock]:
        return lru_cache(self.config.cached_blocks)(self._draw_block)

    def _draw_block(self, number: int) -> PatchBlock:
        rng = np.random.default_rng(derive_key(self.seed, "block", number))
        return draw_block(self.config.block, round(_BLOCK_SIDES * self.config.size_px), rng)

    def _sample_displacement(self, rng: np.random.Generator) -> Field:
        """Return u, (2, H, W) px, with x + u(x) one to one.

        It is a similarity about the middle and smooth noise.
        """
        config = self.config
        side = config.size_px
        angle_deg = rng.uniform(-config.rotation_deg, config.rotation_deg)
        log_scale = rng.uniform(-config.scale, config.scale)
        rotation = _make_rotation(np.deg2rad(angle_deg))
        linear = np.exp(log_scale) * rotation - np.eye(2)
        shift = rng.uniform(-config.shift, config.shift, 2) * side
        frame = Space("patch", side, side).frame
        wavelength = side * rng.uniform(0.12, 0.5)
        waves = np.stack([sample_noise(frame, wavelength, int(rng.integers(2**32))) for _ in "xy"])
        waves *= side * config.elastic * rng.uniform()
        steepest = max(float(np.abs(np.diff(waves, axis=axis)).max()) for axis in (1, 2))
        waves *= min(1.0, _MAX_GRADIENT / max(steepest, 1e-9))
        similarity = np.tensordot(linear, _make_grid(side), 1) + shift[:, None, None]
        return np.asarray(similarity + waves, np.float32)

    def _sample_placement(
        self, rng: np.random.Generator, block_px: int
    ) -> Callable[[PixelGrid], PixelGrid]:
        """Return a map from pixels about a patch's middle to pixels of the block.

        It rotates, mirrors and shifts, the same for both patches.
        """
        rotation = _make_rotation(rng.uniform(0, 2 * np.pi))
        linear = rotation @ np.diag([rng.choice([-1.0, 1.0]), 1.0])
        room = max(0.0, 0.5 * (block_px - 1.5 * self.config.size_px))
        middle = 0.5 * (block_px - 1) + rng.uniform(-room, room, 2)
        return lambda grid: np.asarray(np.tensordot(linear, grid, 1) + middle[:, None, None])


def _make_grid(side: int) -> PixelGrid:
    """Return pixel centres about the middle of a patch, (2, H, W)."""
    axis = np.arange(side) - 0.5 * (side - 1)
    return np.stack(np.meshgrid(axis, axis))


def _make_rotation(angle_rad: float) -> npt.NDArray[np.float64]:
    cos = np.cos(angle_rad)
    sin = np.sin(angle_rad)
    return np.array([[cos, -sin], [sin, cos]])


def _sample_picture(
    picture: Rgb, places: PixelGrid, interpolation: int = cv2.INTER_LINEAR
) -> npt.NDArray[np.uint8]:
    """Return `picture`, (H, W) or (H, W, 3), at places (2, h, w)."""
    x, y = places.astype(np.float32)
    return np.asarray(cv2.remap(picture, x, y, interpolation, borderMode=cv2.BORDER_REPLICATE))
