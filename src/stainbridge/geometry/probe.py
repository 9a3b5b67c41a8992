"""Read a file in a child process first, where the library may crash or fill standard error."""

from __future__ import annotations

import os
import signal
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

from stainbridge.errors import InputError

#: Seconds that reading may take; HDF5 goes round for ever in some damaged files.
LONGEST_READ_S = 120


def probe(read: Callable[[str], object], path: Path) -> None:
    """Raise `InputError` where reading a file ends a child process, fails in it or has no end.

    HDF5 crashes at some damaged files, and writes pages about others. The child is a copy of this
    process and reads nothing else; where there are no such copies, nothing is tried.
    """
    if not sys.platform.startswith("linux"):
        return
    sys.stdout.flush()
    sys.stderr.flush()
    with warnings.catch_warnings():
        # the child only reads, so that locks of other threads do not matter
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        _read_and_leave(read, path)
    _, status = os.waitpid(child, 0)
    if status != 0:
        raise InputError(
            "the file is damaged", where=path, expected="a whole file", remedy="make it again"
        )


def _read_and_leave(read: Callable[[str], object], path: Path) -> None:
    """Read in the child, silently, and leave at once with 0, or 1 for any error."""
    code = 1
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(LONGEST_READ_S)
        read(str(path))
        code = 0
    finally:
        os._exit(code)
