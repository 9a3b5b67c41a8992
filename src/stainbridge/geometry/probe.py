"""Read a file in another process first, where the library may crash or fill standard error."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from stainbridge.errors import InputError

READ_TRANSFORM = "import sys, SimpleITK; SimpleITK.ReadTransform(sys.argv[1])"
#: Seconds that reading may take; HDF5 goes round for ever in some damaged files.
LONGEST_READ_S = 120


def probe(path: Path, script: str = READ_TRANSFORM) -> None:
    """Raise `InputError` where reading a file ends a process, fails in it or has no end.

    HDF5 crashes at some damaged files, and writes pages about others. The process is a new one: a
    copy of this process would wait for ever for locks that other threads held.
    """
    command = [sys.executable, "-P", "-c", script, str(path)]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=LONGEST_READ_S)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        raise InputError(
            "the file is damaged", where=path, expected="a whole file", remedy="make it again"
        ) from error
