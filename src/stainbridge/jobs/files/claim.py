"""An output belongs to one run at a time; what killed runs left there is removed first."""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from stainbridge.errors import InputError
from stainbridge.jobs.files.outputs import Inputs, check_output_file
from stainbridge.learn.interrupt import catch_interrupts
from stainbridge.locks import LockUnsupportedError, release_lock, take_lock
from stainbridge.partial import HIDDEN_PREFIX, remove_abandoned
from stainbridge.whole import name_output

if TYPE_CHECKING:
    from filelock import BaseFileLock

#: The lock in an output folder that is being written.
FOLDER_LOCK = f"{HIDDEN_PREFIX}run.lock"


@contextmanager
def claim_file(
    out: Path, inputs: Inputs, *, overwrite: bool, may_be_zarr: bool = False
) -> Iterator[None]:
    """Keep other runs from writing the file `out` while the context lasts.

    Raises `InputError` as `check_output_file` does, and when another run writes it.
    """
    check = partial(check_output_file, out, inputs, overwrite=overwrite, may_be_zarr=may_be_zarr)
    check()
    digest = hashlib.sha256(os.fsencode(out.name)).hexdigest()[:16]
    with _hold(out.parent / f"{HIDDEN_PREFIX}{digest}.lock", out):
        check()  # another run may have ended just now
        remove_abandoned(out.parent)
        yield


def remove_leftovers(out: Path) -> None:
    """Remove what killed runs left beside a finished output, where nobody writes and one may."""
    with suppress(InputError), claim_file(out, Inputs(), overwrite=True, may_be_zarr=True):
        pass


@contextmanager
def claim_folder(out: Path) -> Iterator[None]:
    """Make the folder `out` and keep other runs from writing into it while the context lasts.

    A new folder that is empty at the end is removed. Raises `InputError` when it cannot be made,
    and when another run writes there.
    """
    new_folders = [folder for folder in (out, *out.parents) if not folder.exists()]
    try:
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"cannot write there: {error.strerror}", where=out) from error
        with _hold(out / FOLDER_LOCK, out):
            remove_abandoned(out, deep=True)
            yield
    finally:
        for folder in new_folders:
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()


@contextmanager
def _hold(path: Path, out: Path) -> Iterator[None]:
    """Hold the lock `path` of the output `out`; wherever an interruption comes, it is removed."""
    with ExitStack() as stack:
        with catch_interrupts() as interrupts:
            is_locked = _lock(path, out, stack)
        if interrupts.has_come:
            raise KeyboardInterrupt
        with name_output(out):
            if is_locked:
                path.write_text(f"process {os.getpid()} on {platform.node()}", encoding="utf-8")
            yield


def _lock(path: Path, out: Path, stack: ExitStack) -> bool:
    """Take the lock until `stack` closes; return False where the file system has no locks."""
    try:
        lock = take_lock(path)
    except LockUnsupportedError:  # nothing can tell who else is there
        path.unlink(missing_ok=True)
        return False
    except OSError as error:
        raise InputError(f"cannot write there: {error.strerror}", where=out) from error
    if lock is None:
        raise InputError(
            "another run is writing there",
            where=out,
            got=_read_owner(path),
            remedy="wait for it, or name another output",
        )
    stack.callback(_unlock, path, lock)
    return True


def _unlock(path: Path, lock: BaseFileLock) -> None:
    if os.name == "nt":  # an open file cannot be removed there
        release_lock(lock)
    with suppress(OSError):
        path.unlink()
    release_lock(lock)


def _read_owner(path: Path) -> str | None:
    """Return what the owner of a lock wrote into it; None where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8") or None
    except (OSError, UnicodeDecodeError):
        return None
