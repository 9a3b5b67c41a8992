"""Files that appear whole or not at all."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stainbridge.errors import InputError, MissingFileError
from stainbridge.partial import HIDDEN_PREFIX, find_final_path, partial_folder

#: What lies in these folders stands for devices and streams, whatever it links to.
SPECIAL_FOLDERS = (Path("/dev"), Path("/proc"))
#: What may stand where a file is to be written, in words.
KINDS = {
    stat.S_IFBLK: "a block device",
    stat.S_IFCHR: "a device",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
}
#: Errors that only writing has: a full disk, a quota, a limit of the size of files.
WRITING = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def check_replaceable(path: Path) -> None:
    """Raise `InputError` when `path` leads to what is no regular file or folder."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):  # nothing that can be reached: writing will say so
        return
    is_plain = stat.S_ISREG(mode) or stat.S_ISDIR(mode)
    is_special_link = path.is_symlink() and any(
        folder in path.absolute().parents for folder in SPECIAL_FOLDERS
    )
    if is_plain and not is_special_link:
        return
    raise InputError(
        "not a regular file or folder",
        where=path,
        got=KINDS.get(stat.S_IFMT(mode), "a special file"),
        remedy="name another output",
    )


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a temporary file that has the name of `path`, and move it to `path` on success.

    On any exception the temporary file is removed and `path` stays as it was. It is in a hidden
    folder beside `path`; see `partial_folder`. Raises `MissingFileError`
    when the folder does not exist. Raises `InputError` when `path` is no regular file, when it
    cannot be written, and when the disk is full.
    """
    with _hidden_folder_beside(path) as folder:
        yield folder / path.name
        (folder / path.name).replace(path)


@contextmanager
def name_output(path: Path) -> Iterator[None]:
    """Name the output `path` in an `OSError` of writing that names no file, as that of a full disk.

    Whatever is written meanwhile is part of it.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in WRITING or error.filename is not None:
            raise
        raise OSError(error.errno, os.strerror(error.errno), str(path)) from error


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Like `whole_file`, but give an empty folder.

    What stands at `path` is replaced as a whole.
    """
    with _hidden_folder_beside(path) as folder:
        new = folder / "new"
        new.mkdir()
        yield new
        old = folder / "old"
        is_replaced = path.exists() or path.is_symlink()
        if is_replaced:
            path.rename(old)
        try:
            new.rename(path)
        except OSError:
            if is_replaced:
                old.rename(path)
            raise


@contextmanager
def _hidden_folder_beside(path: Path) -> Iterator[Path]:
    """Give a hidden folder beside `path`, and remove it with all that is in it."""
    check_replaceable(path)
    if not path.parent.is_dir():
        raise MissingFileError("no such folder", where=path.parent, remedy="create it first")
    try:
        with partial_folder(path.parent) as folder:
            yield folder
    except InputError:  # a `MissingFileError` is an `OSError` too, but not one of writing
        raise
    except OSError as error:
        if error.errno is None or _names_another(error, path):
            raise
        raise InputError(
            f"could not write: {os.strerror(error.errno)}", where=find_final_path(path)
        ) from error


def _names_another(error: OSError, path: Path) -> bool:
    """Return whether an error names a file that is read, and none of those that become `path`."""
    if error.filename is None:
        return False
    named = Path(os.fsdecode(error.filename))
    is_hidden = any(part.startswith(HIDDEN_PREFIX) for part in named.parts)
    return not is_hidden and named not in (path, path.parent)
