"""A small cache of decoded blocks of a slide, shared by the threads that read overlapping boxes of it."""

from __future__ import annotations

from collections import OrderedDict
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import product
from threading import Lock

import cv2
import numpy as np

from stainbridge.geometry.frame import Frame
from stainbridge.geometry.scratch import Scratch
from stainbridge.geometry.warp import Box, Interleaved
from stainbridge.slides.slide import Slide
from stainbridge.types import Mask

BLOCK_PX = 512


@dataclass(frozen=True, eq=False)
class Block:
    """`pixels` (H, W, C), RGB padded to four channels; `valid` (H, W), None where all are."""

    pixels: Interleaved
    valid: Mask | None

    @property
    def nbytes(self) -> int:
        """Memory held."""
        return self.pixels.nbytes + (0 if self.valid is None else self.valid.nbytes)


Key = tuple[Frame, int, int]


class BlockCache:
    """Reads boxes of a slide on any grid in its space, keeping the blocks last used, at most `budget_bytes` of them.

    Thread-safe; a block wanted by several threads at once is read once.
    """

    def __init__(self, slide: Slide, budget_bytes: int) -> None:
        self._slide, self._budget = slide, budget_bytes
        self._lock = Lock()
        self._blocks: OrderedDict[Key, Future[Block]] = OrderedDict()
        self._held = 0
        self._scratch = Scratch()

    @property
    def held_bytes(self) -> int:
        """Memory held by decoded blocks."""
        return self._held

    def region(self, grid: Frame, box: Box) -> tuple[Interleaved, Mask | None]:
        """The box of `grid`: (H, W, C) pixels, RGB padded to four channels, and valid, None where all are.

        The pixels are overwritten by the next call from the same thread.
        """
        columns = range(box.x0 // BLOCK_PX, (box.x1 - 1) // BLOCK_PX + 1)
        rows = range(box.y0 // BLOCK_PX, (box.y1 - 1) // BLOCK_PX + 1)
        blocks = {(row, column): self._block((grid, row, column)) for row, column in product(rows, columns)}
        first = blocks[rows[0], columns[0]]
        if len(blocks) == 1:
            rows_in, columns_in = _inside(box, rows[0], columns[0])
            return first.pixels[rows_in, columns_in], None if first.valid is None else first.valid[rows_in, columns_in]
        size = (box.y1 - box.y0, box.x1 - box.x0)
        pixels = self._scratch.array("pixels", (*size, first.pixels.shape[2]), first.pixels.dtype)
        valid = None if all(block.valid is None for block in blocks.values()) else np.ones(size, bool)
        for (row, column), block in blocks.items():
            inside = _inside(box, row, column)
            place = tuple(
                slice(start + part.start - corner, start + part.stop - corner)
                for start, part, corner in zip(
                    (row * BLOCK_PX, column * BLOCK_PX), inside, (box.y0, box.x0), strict=True
                )
            )
            pixels[place] = block.pixels[inside]
            if valid is not None and block.valid is not None:
                valid[place] = block.valid[inside]
        return pixels, valid

    def _block(self, key: Key) -> Block:
        with self._lock:
            future = self._blocks.get(key)
            mine = future is None
            if future is None:
                future = self._blocks[key] = Future()
            self._blocks.move_to_end(key)
        if mine:
            self._read(key, future)
        return future.result()

    def _read(self, key: Key, future: Future[Block]) -> None:
        """Fulfil `future`; a failed read is forgotten, so that the next one tries again."""
        try:
            block = self._decoded(*key)
        except BaseException as error:
            with self._lock:
                del self._blocks[key]
            future.set_exception(error)
            return
        future.set_result(block)
        with self._lock:
            self._held += block.nbytes
            self._evict()

    def _evict(self) -> None:
        if self._held <= self._budget:
            return
        for key in [key for key, future in self._blocks.items() if future.done()]:
            self._held -= self._blocks.pop(key).result().nbytes
            if self._held <= self._budget * 7 // 8:  # some room, so that this is not done for every block
                return

    def _decoded(self, grid: Frame, row: int, column: int) -> Block:
        x, y = column * BLOCK_PX, row * BLOCK_PX
        image = self._slide.read(grid.crop(x, y, min(BLOCK_PX, grid.width - x), min(BLOCK_PX, grid.height - y)))
        pixels = np.ascontiguousarray(np.moveaxis(image.pixels, 0, -1))
        if self._slide.info.is_rgb:
            pixels = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2RGBA))
        return Block(pixels, None if image.valid.all() else image.valid)


def _inside(box: Box, row: int, column: int) -> tuple[slice, slice]:
    """The part of a block that the box covers, as rows and columns of the block."""
    x, y = column * BLOCK_PX, row * BLOCK_PX
    return (
        slice(max(box.y0 - y, 0), min(box.y1 - y, BLOCK_PX)),
        slice(max(box.x0 - x, 0), min(box.x1 - x, BLOCK_PX)),
    )
