"""Finished tiles that an interrupted job leaves beside its output, to resume from."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from stainbridge.errors import InputError
from stainbridge.partial import remove_abandoned
from stainbridge.progress import Note

#: Folders of tiles in the tiles folder: one of each step that works tile by tile.
TRANSLATED = "translated"
SHARPENED = "sharpened"


def tiles_folder(out: Path) -> Path:
    """Return the folder that keeps finished tiles of `out` until it is complete."""
    return out.with_name(f"{out.name}.parts")


def check_tiles_folder(out: Path) -> None:
    """Raise `InputError` when something that is no folder has the name of the tiles folder."""
    folder = tiles_folder(out)
    if (folder.exists() or folder.is_symlink()) and not folder.is_dir():
        raise InputError(
            "finished tiles cannot be kept there",
            where=folder,
            expected="a folder, or nothing",
            remedy="move it away",
        )


@contextmanager
def keep_finished_tiles(out: Path, note: Note) -> Iterator[None]:
    """Remove finished tiles once the output is there, and what killed runs left at once.

    On an exception finished tiles stay, and `note` is told.
    """
    folder = tiles_folder(out)
    remove_abandoned(folder, deep=True)
    try:
        yield
    except BaseException:
        from stainbridge.translation.inference.tile_store import TILE_SUFFIX

        count = sum(1 for _ in folder.rglob(f"*{TILE_SUFFIX}"))
        if count:
            note(f"{count} finished tiles are kept in {folder}; the same command resumes from them")
        raise
    for name in (TRANSLATED, SHARPENED):
        shutil.rmtree(folder / name, ignore_errors=True)
    with suppress(OSError):  # not there, or somebody's own files are in it
        folder.rmdir()
