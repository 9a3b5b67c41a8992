"""Tiles to train on from files of pictures, corresponding or not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import PIL.Image

from stainbridge.errors import InputError, MissingFileError
from stainbridge.translation.objectives.task import TilePair
from stainbridge.translation.training.augment import Cut, scaled, shuffled, with_channels
from stainbridge.types import Pixels

#: Pillow's names of 8-bit grey and RGB.
MODES = ("L", "RGB")


@dataclass(frozen=True)
class Pictures:
    """Files of both stains; where they are `paired`, source and target number i show the same
    place.

    Raises `InputError` when there are none, for files that are no 8-bit grey or RGB, and for pairs
    when there are not as many of both or two differ in size. Only headers are read here.
    """

    sources: tuple[Path, ...]
    targets: tuple[Path, ...]
    paired: bool

    def __post_init__(self) -> None:
        if not self.sources or not self.targets:
            raise InputError(
                "no pictures",
                expected="some of both stains",
                got=(len(self.sources), len(self.targets)),
            )
        sizes = [[_size(path) for path in side] for side in (self.sources, self.targets)]
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
        for target, width_height, other in zip(self.targets, *sizes, strict=True):
            if width_height != other:
                expected, got = (f"{width} x {height}" for width, height in (width_height, other))
                raise InputError(
                    "not the size of its partner", where=target, expected=expected, got=got
                )


@dataclass(frozen=True)
class PictureStream:
    """Squares of `tile_px` from pictures, of any place and, where `turned`, any way round. A
    `learn.task.Stream`.

    `channels` are of source and target. Sample i of a seed is always the same; all pictures come
    before any comes again. Raises `InputError` for files that cannot be read or have other
    channels, and pictures smaller than a tile.
    """

    pictures: Pictures
    tile_px: int
    channels: tuple[int, int]
    seed: int
    turned: bool = True

    def __getitem__(self, number: int) -> TilePair:
        """Sample `number`."""
        rng = np.random.default_rng([self.seed, number])
        source, cut = self._cut(self.pictures.sources, self.seed, number, self.channels[0], rng)
        if self.pictures.paired:
            path = self.pictures.targets[shuffled(self.seed, number, len(self.pictures.targets))]
            target = cut(with_channels(read_picture(path), self.channels[1], path))
        else:
            target, _ = self._cut(
                self.pictures.targets, self.seed + 1, number, self.channels[1], rng
            )
        return TilePair(scaled(source), scaled(target), self.pictures.paired)

    def _cut(
        self,
        paths: tuple[Path, ...],
        seed: int,
        number: int,
        channels: int,
        rng: np.random.Generator,
    ) -> tuple[Pixels, Cut]:
        path = paths[shuffled(seed, number, len(paths))]
        pixels = with_channels(read_picture(path), channels, path)
        try:
            cut = Cut.drawn(rng, pixels.shape[1], pixels.shape[2], self.tile_px, self.turned)
        except InputError as error:
            raise InputError(
                error.what, where=path, expected=error.expected, got=error.got, remedy=error.remedy
            ) from error
        return cut(pixels), cut


def read_picture(path: Path) -> Pixels:
    """The pixels of a file, (1 or 3, H, W) as stored.

    Raises `InputError` when it cannot be read or is neither.
    """
    stored = cv2.imread(str(path), cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION)
    if stored is None:
        kind = InputError if path.exists() else MissingFileError
        raise kind("cannot be read as a picture", where=path)
    if stored.ndim == 2:
        return np.asarray(stored[None])
    if stored.shape[2] != 3:
        raise InputError("wrong channels", where=path, expected="grey or RGB", got=stored.shape[2])
    return np.ascontiguousarray(np.moveaxis(stored[..., ::-1], -1, 0))


def _size(path: Path) -> tuple[int, int]:
    """Width and height, from the header alone. Raises `InputError` as `read_picture` does."""
    try:
        with PIL.Image.open(path) as picture:
            if picture.mode not in MODES:
                got = "".join(picture.getbands())
                raise InputError(
                    "wrong channels", where=path, expected="8-bit grey or RGB", got=got
                )
            return picture.size
    except OSError as error:
        kind = MissingFileError if isinstance(error, FileNotFoundError) else InputError
        raise kind("cannot be read as a picture", where=path) from error
