"""Inputs are regular files or folders: a pipe or a device may never end."""

from __future__ import annotations

import stat
from pathlib import Path

from stainbridge.errors import InputError

KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


def check_regular(path: Path) -> None:
    """Raise `InputError` for a pipe, a device or a socket; it is not opened.

    What is not there, or cannot be looked at, is left to the reader.
    """
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return
    kind = KINDS.get(stat.S_IFMT(mode))
    if kind is not None:
        raise InputError("not a regular file", where=path, expected="a file or a folder", got=kind)
