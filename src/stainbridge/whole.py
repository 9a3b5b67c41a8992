"""Files that appear whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stainbridge.errors import InputError, MissingFileError


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a temporary name beside `path` and rename it to `path` on success.

    On any exception the temporary file is removed and `path` stays as it was. The temporary name
    ends like `path`, because writers choose the format by the ending. Raises `MissingFileError`
    when the folder does not exist. Raises `InputError` when it cannot be written or the disk is
    full.
    """
    if not path.parent.is_dir():
        raise MissingFileError("no such folder", where=path.parent, remedy="create it first")
    temporary = path.with_name(f".{os.getpid()}.partial.{path.name}")
    try:
        yield temporary
        temporary.replace(path)
    except InputError:  # a `MissingFileError` is an `OSError` too, but not one of writing
        raise
    except OSError as error:
        if error.errno is None:
            raise
        raise InputError(f"could not write: {os.strerror(error.errno)}", where=path) from error
    finally:
        temporary.unlink(missing_ok=True)
