"""Weights by name: those that come with stainbridge, and a folder of one's own."""

from __future__ import annotations

import os
from importlib.resources import files
from pathlib import Path

from stainbridge.errors import InputError

#: The environment variable that names a folder of more weights, NAME.safetensors or run folders
#: NAME.
WEIGHTS_VARIABLE = "STAINBRIDGE_WEIGHTS"
WEIGHTS_SUFFIX = ".safetensors"


def find_weights(name: str) -> Path:
    """Where weights are that are named by a path, or as one of `FOLDER`'s, or as one of
    stainbridge's own.

    Raises `InputError` for a name that is none of these.
    """
    named = Path(name)
    if named.exists() or named.suffix or len(named.parts) > 1:
        return named  # a path that leads nowhere is told where it is read
    for folder in _folders():
        for found in (folder / f"{name}{WEIGHTS_SUFFIX}", folder / name):
            if found.exists():
                return found
    raise InputError(
        "no weights of that name",
        where=name,
        expected=f"a .safetensors file, a RUN folder, or one of: {', '.join(list_shipped_weights()) or 'none'}",
        remedy="train them with stainbridge train",
    )


def list_shipped_weights() -> tuple[str, ...]:
    """The names of the weights that come with stainbridge."""
    return tuple(sorted(path.stem for path in _package_folder().glob(f"*{WEIGHTS_SUFFIX}")))


def _folders() -> list[Path]:
    ours = os.environ.get(WEIGHTS_VARIABLE)
    return [*([Path(ours)] if ours else []), _package_folder()]


def _package_folder() -> Path:
    return Path(str(files("stainbridge").joinpath("weights")))
