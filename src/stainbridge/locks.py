"""Locks on files that a process loses when it ends, however it ends."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from filelock import BaseFileLock

#: What file systems without locks answer.
UNSUPPORTED = (errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK)


class LockUnsupportedError(OSError):
    """The file system has no locks."""


def take_lock(path: Path) -> BaseFileLock | None:
    """Return the lock on `path`, which is made where it is missing; None when another holds it.

    Raises `LockUnsupportedError` where the file system has no locks, and `OSError` where the file
    cannot be made.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(path, timeout=0, thread_local=False, fallback_to_soft=False)
    try:
        lock.acquire()
    except Timeout:
        return None
    except (OSError, NotImplementedError) as error:
        number = getattr(error, "errno", None)
        if isinstance(error, NotImplementedError) or number in UNSUPPORTED:
            raise LockUnsupportedError(number, "no locks there", str(path)) from error
        raise
    return lock


def release_lock(lock: BaseFileLock | None) -> None:
    """Release a lock that may have been released before."""
    if lock is not None and lock.is_locked:
        lock.release()
