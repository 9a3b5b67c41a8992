"""What a translation does to colours on average: a polynomial from colours to colours.

A network paints structures of the size that it was trained on. A picture many times as coarse does
not show them, but its colours say what they mix to. The map is fitted to pictures that the network
translated at its own pixel size, source and translation both averaged over blocks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from stainbridge.types import Pixels

#: Weight of the coefficients' squares in the fit of values in −1 … 1: about a grey level of 255.
RIDGE = 1e-4

#: A picture and what the network makes of it, (C, H, W) and (D, H, W) of 8 bits.
Sample = tuple[Pixels, Pixels]
Matrix = npt.NDArray[np.float64]
Planes = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class ColourMap:
    """A polynomial of the second degree from the colour of a pixel to a colour."""

    coefficients: Matrix
    """(D, terms): of the target's channels, for the terms of the source's."""

    @classmethod
    def fit(cls, samples: Sequence[Sample], block_px: int) -> Self:
        """Fit by least squares to pictures, averaged over blocks of `block_px` a side.

        Rows and columns beyond the last whole block are left out. Each picture holds a block at
        least.
        """
        sources = [_list_terms(_average(source, block_px)) for source, _ in samples]
        targets = [_average(target, block_px) for _, target in samples]
        terms = np.concatenate([planes.reshape(len(planes), -1) for planes in sources], axis=1)
        colours = np.concatenate([planes.reshape(len(planes), -1) for planes in targets], axis=1)
        products = terms @ terms.T / terms.shape[1] + RIDGE * np.eye(len(terms))
        mixed = terms @ colours.T / terms.shape[1]
        return cls(np.linalg.solve(products, mixed).T)

    def __call__(self, pixels: Pixels) -> Planes:
        """Return the colours (D, H, W), 0 to 255, of pixels (C, H, W) of 8 bits."""
        terms = _list_terms(_to_unit(pixels))
        values = np.tensordot(self.coefficients.astype(np.float32), terms, 1)
        return np.asarray(np.clip(127.5 * (values + 1), 0, 255), np.float32)


def _average(pixels: Pixels, block_px: int) -> Planes:
    """Return means over blocks, in −1 … 1, (C, H // block_px, W // block_px)."""
    channels, height, width = pixels.shape
    rows, columns = height // block_px, width // block_px
    whole = _to_unit(pixels[:, : rows * block_px, : columns * block_px])
    blocks = whole.reshape(channels, rows, block_px, columns, block_px)
    return np.asarray(blocks.mean((2, 4)), np.float32)


def _to_unit(pixels: Pixels) -> Planes:
    """Return 8-bit values as −1 … 1."""
    return np.asarray(pixels, np.float32) / 127.5 - 1


def _list_terms(planes: Planes) -> Planes:
    """Return 1, the channels, and the products of any two of them, (terms, H, W)."""
    count = len(planes)
    products = [planes[i] * planes[j] for i in range(count) for j in range(i, count)]
    return np.stack([np.ones_like(planes[0]), *planes, *products])
