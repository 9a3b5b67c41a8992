"""Tiles that are done, kept on disk until the slide they belong to is written."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from stainbridge.errors import InputError
from stainbridge.whole import whole_file

PLAN = "plan.json"


class Parts:
    """A folder of tiles, (H, W, C) uint8 each, by name, and the `plan` they are parts of."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @classmethod
    def open(cls, folder: Path, plan: Mapping[str, Any]) -> Self:
        """The folder, made if need be; what is in it for another plan is thrown away.

        Raises `InputError` when it cannot be written, or is no folder of parts.
        """
        text = json.dumps(plan, sort_keys=True, indent=2)
        kept = folder / PLAN
        if folder.exists() and any(folder.iterdir()) and not kept.is_file():
            raise InputError("not a folder of parts", where=folder, remedy="move it away")
        if kept.is_file() and kept.read_text(encoding="utf-8") != text:
            shutil.rmtree(folder)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"cannot write there: {error.strerror}", where=folder) from error
        if not kept.exists():
            with whole_file(kept) as temporary:
                temporary.write_text(text, encoding="utf-8")
        return cls(folder)

    def __len__(self) -> int:
        """How many tiles are kept."""
        return sum(1 for _ in self._folder.glob("*.npz"))

    def load(self, name: str) -> npt.NDArray[np.uint8] | None:
        """A tile, None when it is not there. Raises `InputError` when it is damaged."""
        path = self._folder / f"{name}.npz"
        if not path.exists():
            return None
        try:
            with np.load(path) as stored:
                return np.asarray(stored["tile"], np.uint8)
        except (zipfile.BadZipFile, OSError, KeyError, ValueError) as error:
            raise InputError("a damaged part", where=path, remedy="remove it") from error

    def save(self, name: str, tile: npt.NDArray[np.uint8]) -> None:
        """Keep a tile."""
        with whole_file(self._folder / f"{name}.npz") as temporary:
            np.savez_compressed(temporary, tile=tile)
