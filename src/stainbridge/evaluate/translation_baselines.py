"""What a translation must beat: one colour for all, and the most similar training tile's target."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Self, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from stainbridge.errors import InputError
from stainbridge.evaluate.translation import TilePixels, TranslationMethod
from stainbridge.types import Pixels

#: The names of the rows.
MEAN_COLOUR = "mean colour"
NEAREST_NEIGHBOUR = "nearest neighbour"
#: Squares along each side of a tile whose mean colours describe it.
SQUARES = 8

#: Reads the pixels of one training tile.
ReadTile: TypeAlias = Callable[[], TilePixels]


@dataclass(frozen=True, eq=False)
class TrainingMemory:
    """What the baselines know of the training tiles: descriptors, sizes, and a mean colour."""

    tiles: tuple[ReadTile, ...]
    """Reads each training tile again."""
    descriptors: npt.NDArray[np.float32]
    """A description of each source, (N, D)."""
    sizes: npt.NDArray[np.int64]
    """Height and width of each tile, (N, 2)."""
    colour: npt.NDArray[np.float64]
    """The mean colour of all targets' pixels, (C,)."""

    @classmethod
    def collect(cls, tiles: Iterable[ReadTile]) -> Self:
        """Read all training tiles once; raise `InputError` where there are none."""
        readers = tuple(tiles)
        if not readers:
            raise InputError("no training tiles for the baselines")
        descriptors = []
        sizes = []
        colours = []
        for read in readers:
            tile = read()
            descriptors.append(describe_source(tile.source))
            sizes.append(tile.source.shape[1:])
            colours.append(tile.target.mean((1, 2)))
        areas = np.prod(sizes, axis=1)
        colour = np.average(colours, axis=0, weights=areas)
        return cls(readers, np.stack(descriptors), np.array(sizes), colour)

    def list_methods(self) -> list[TranslationMethod]:
        """Return both baselines as methods of translation."""
        return [
            TranslationMethod(MEAN_COLOUR, partial(_paint, self.colour)),
            TranslationMethod(NEAREST_NEIGHBOUR, self.copy_nearest),
        ]

    def copy_nearest(self, source: Pixels) -> Pixels:
        """Return the target of the training tile whose source is most similar.

        Only tiles of the same size count. Raises `InputError` where there is none.
        """
        fits = np.flatnonzero((self.sizes == source.shape[1:]).all(1))
        if not len(fits):
            height, width = source.shape[1:]
            raise InputError(
                "no training tile of the size", where=NEAREST_NEIGHBOUR, got=f"{width} x {height}"
            )
        differences = self.descriptors[fits] - describe_source(source)
        nearest = int(fits[np.square(differences).sum(1).argmin()])
        return self.tiles[nearest]().target


def describe_source(source: Pixels) -> npt.NDArray[np.float32]:
    """Return the mean colours of 8 x 8 equal squares of a tile (C, H, W), one vector (64 C,).

    Tiles are compared by the Euclidean distance of these vectors, in grey values.
    """
    squares = [
        cv2.resize(channel.astype(np.float32), (SQUARES, SQUARES), interpolation=cv2.INTER_AREA)
        for channel in source
    ]
    return np.asarray(np.stack(squares).ravel(), np.float32)


def _paint(colour: npt.NDArray[np.float64], source: Pixels) -> Pixels:
    """Return a tile (C, H, W) of one colour, as large as the source."""
    rounded = np.round(colour).astype(np.uint8)
    return np.ascontiguousarray(
        np.broadcast_to(rounded[:, None, None], (len(rounded), *source.shape[1:]))
    )
