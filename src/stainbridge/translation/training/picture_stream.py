"""Tiles to train on from files of pictures, paired or not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stainbridge.errors import InputError
from stainbridge.learn.rounds import shuffle_index
from stainbridge.translation.objectives.pixels import match_channels, pixels_to_tensor
from stainbridge.translation.objectives.task import TilePair
from stainbridge.translation.training.augment import TileCrop
from stainbridge.translation.training.picture_files import read_picture, read_size
from stainbridge.types import Pixels


@dataclass(frozen=True)
class Pictures:
    """Files of pictures of both stains.

    Raises `InputError` when there are none, for files that are no 8-bit grey or RGB, and for pairs
    when there are not as many of both or two differ in size. Only headers are read here.
    """

    sources: tuple[Path, ...]
    """Pictures of the source stain."""
    targets: tuple[Path, ...]
    """Pictures of the target stain."""
    paired: bool
    """Whether source and target of the same number show the same place."""
    weights: tuple[float, ...] = ()
    """How much each pair counts, 1 on average; none: all alike."""

    def __post_init__(self) -> None:
        if not self.sources or not self.targets:
            raise InputError(
                "no pictures",
                expected="some of both stains",
                got=(len(self.sources), len(self.targets)),
            )
        source_sizes = [read_size(path) for path in self.sources]
        target_sizes = [read_size(path) for path in self.targets]
        if not self.paired:
            return
        if len(self.sources) != len(self.targets):
            raise InputError(
                "not as many pictures of both stains",
                where=self.targets[0].parent,
                expected=len(self.sources),
                got=len(self.targets),
                remedy="pair them, or train with cyclegan",
            )
        for target, expected, size in zip(self.targets, source_sizes, target_sizes, strict=True):
            if size != expected:
                raise InputError(
                    "not the size of its partner",
                    where=target,
                    expected=_format_size(expected),
                    got=_format_size(size),
                )


@dataclass(frozen=True)
class PictureStream:
    """Tiles from pictures. A `learn.task.Stream`: sample i of a seed is always the same.

    All pictures come before any comes again. Raises `InputError` for files that cannot be read or
    have other channels, and pictures smaller than a tile.
    """

    pictures: Pictures
    """The files."""
    tile_px: int
    """Side of a tile, in pixels."""
    channels: tuple[int, int]
    """Channels of source and target."""
    seed: int
    """Draws places, orientations and the order of the pictures."""
    rotate_and_flip: bool = True
    """Whether tiles are turned and mirrored at random."""

    def __getitem__(self, number: int) -> TilePair:
        """Return sample `number`."""
        rng = np.random.default_rng([self.seed, number])
        source, crop = self._draw_tile(
            self.pictures.sources, self.seed, number, self.channels[0], rng
        )
        if self.pictures.paired:
            index = shuffle_index(number, len(self.pictures.targets), self.seed)
            path = self.pictures.targets[index]
            target = crop(match_channels(read_picture(path), self.channels[1], path))
            weight = self.pictures.weights[index] if self.pictures.weights else 1.0
        else:
            weight = 1.0
            target, _ = self._draw_tile(
                self.pictures.targets, self.seed + 1, number, self.channels[1], rng
            )
        return TilePair(
            pixels_to_tensor(source), pixels_to_tensor(target), self.pictures.paired, weight
        )

    def _draw_tile(
        self,
        paths: tuple[Path, ...],
        seed: int,
        number: int,
        channels: int,
        rng: np.random.Generator,
    ) -> tuple[Pixels, TileCrop]:
        path = paths[shuffle_index(number, len(paths), seed)]
        pixels = match_channels(read_picture(path), channels, path)
        height, width = pixels.shape[1:]
        try:
            crop = TileCrop.draw(rng, height, width, self.tile_px, self.rotate_and_flip)
        except InputError as error:
            raise InputError(
                error.what, where=path, expected=error.expected, got=error.got, remedy=error.remedy
            ) from error
        return crop(pixels), crop


def _format_size(size: tuple[int, int]) -> str:
    width, height = size
    return f"{width} x {height}"
