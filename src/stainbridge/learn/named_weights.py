"""Weights by name: those that come with stainbridge, and those in a folder of the user's."""

from __future__ import annotations

import os
from importlib.resources import files
from pathlib import Path

from stainbridge.errors import InputError

#: The environment variable that names a folder of more weights: NAME.safetensors or run folders.
WEIGHTS_VARIABLE = "STAINBRIDGE_WEIGHTS"
#: The ending of a file of weights.
WEIGHTS_SUFFIX = ".safetensors"


def find_weights(name: str) -> Path:
    """Return the path of weights that are given by a path or by a name.

    A name is looked up in the folder of `WEIGHTS_VARIABLE`, then among stainbridge's own. A path is
    returned as it is, whether it exists or not. Raises `InputError` for an unknown name.
    """
    path = Path(name)
    if path.exists() or path.suffix or len(path.parts) > 1:
        return path
    for folder in _search_folders():
        for candidate in (folder / f"{name}{WEIGHTS_SUFFIX}", folder / name):
            if candidate.exists():
                return candidate
    names = ", ".join(list_shipped_weights()) or "none"
    raise InputError(
        "no weights of that name",
        where=name,
        expected=f"a .safetensors file, a RUN folder, or one of: {names}",
        remedy="train them with stainbridge train",
    )


def list_shipped_weights() -> tuple[str, ...]:
    """Return the names of the weights that come with stainbridge."""
    return tuple(sorted(path.stem for path in _package_folder().glob(f"*{WEIGHTS_SUFFIX}")))


def _search_folders() -> list[Path]:
    users = os.environ.get(WEIGHTS_VARIABLE)
    return [*([Path(users)] if users else []), _package_folder()]


def _package_folder() -> Path:
    return Path(str(files("stainbridge").joinpath("weights")))
