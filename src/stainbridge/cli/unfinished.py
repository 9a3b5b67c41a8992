"""What an interrupted command leaves beside its output, to go on from."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stainbridge.cli.output import say
from stainbridge.errors import InputError, MissingFileError


def parts_folder(out: Path) -> Path:
    """Where finished tiles of `out` are kept until it is complete."""
    return out.with_name(f"{out.name}.parts")


@contextmanager
def kept_parts(out: Path) -> Iterator[None]:
    """Finished tiles are removed once the output is there; where it is not, they stay, which is
    said.
    """
    folder = parts_folder(out)
    try:
        yield
    except BaseException:
        count = sum(1 for _ in folder.rglob("*.npz"))
        if count:
            say(f"{count} finished tiles are kept in {folder}; the same command goes on from them")
        raise
    if folder.exists():
        shutil.rmtree(folder)


def check_output(out: Path, source: Path) -> None:
    """Raise `InputError`, before hours of work, for an output that cannot be written or would
    replace the input.
    """
    if not out.parent.is_dir():
        raise MissingFileError("no such folder", where=out.parent, remedy="create it first")
    if out.is_dir():
        raise InputError("is a folder", where=out, expected="a file name")
    if out.exists() and source.exists() and out.samefile(source):
        raise InputError(
            "the output would replace the input", where=out, remedy="name another output"
        )
