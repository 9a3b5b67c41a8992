"""Finished tiles, kept on disk until the slide that they belong to is written."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, Self

import imagecodecs
import numpy as np
import numpy.typing as npt

from stainbridge.errors import InputError
from stainbridge.partial import holds_files
from stainbridge.whole import whole_file

#: The file of a store's key.
KEY_FILE = "plan.json"
#: Ending of a tile: an .npy file in Zstandard.
TILE_SUFFIX = ".npy.zst"
#: Level of compression, the quickest: tiles are kept until the slide is written only.
ZSTD_LEVEL = 1


class TileStore:
    """A folder of finished tiles by name, (H, W, C) uint8 each, all made under one key."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @classmethod
    def open(cls, folder: Path, key: Mapping[str, Any]) -> Self:
        """Open or make the folder; tiles that were made under another key are removed.

        Raises `InputError` when it cannot be written, or is no folder of tiles.
        """
        text = json.dumps(key, sort_keys=True, indent=2)
        key_file = folder / KEY_FILE
        if holds_files(folder) and not key_file.is_file():
            raise InputError("not a folder of finished tiles", where=folder, remedy="move it away")
        if key_file.is_file() and key_file.read_text(encoding="utf-8") != text:
            shutil.rmtree(folder)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"cannot write there: {error.strerror}", where=folder) from error
        if not key_file.exists():
            with whole_file(key_file) as temporary:
                temporary.write_text(text, encoding="utf-8")
        return cls(folder)

    def __len__(self) -> int:
        """Return the number of tiles."""
        return sum(1 for _ in self._folder.glob(f"*{TILE_SUFFIX}"))

    def load(self, name: str) -> npt.NDArray[np.uint8] | None:
        """Return a tile, None when it is not there. Raises `InputError` when it is damaged."""
        path = self._folder / f"{name}{TILE_SUFFIX}"
        if not path.exists():
            return None
        try:
            content = BytesIO(imagecodecs.zstd_decode(path.read_bytes()))
            return np.asarray(np.load(content, allow_pickle=False), np.uint8)
        except (imagecodecs.ZstdError, OSError, EOFError, ValueError) as error:
            raise InputError("a damaged tile", where=path, remedy="remove it") from error

    def save(self, name: str, tile: npt.NDArray[np.uint8]) -> None:
        """Store a tile, (H, W, C)."""
        content = BytesIO()
        np.save(content, tile)
        with whole_file(self._folder / f"{name}{TILE_SUFFIX}") as temporary:
            temporary.write_bytes(imagecodecs.zstd_encode(content.getvalue(), level=ZSTD_LEVEL))
