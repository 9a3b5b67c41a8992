"""Files that appear whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stainbridge.errors import InputError


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Hand out a temporary name beside `path`; rename it to `path` on success, remove it on any
    exception.

    The temporary name ends like `path`, since writers go by the ending. Raises `InputError` when
    the folder does not exist or cannot be written, or the disk is full.
    """
    if not path.parent.is_dir():
        raise InputError("no such folder", where=path.parent, remedy="create it first")
    temporary = path.with_name(f".{os.getpid()}.partial.{path.name}")
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:
        if error.errno is None:
            raise
        raise InputError(f"could not write: {os.strerror(error.errno)}", where=path) from error
    finally:
        temporary.unlink(missing_ok=True)
