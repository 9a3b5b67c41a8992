"""Read bytes of an open file at any place, from any thread."""

from __future__ import annotations

import os
from pathlib import Path
from threading import Lock

from stainbridge.errors import InputError


class FileBytes:
    """A file open for positioned reads.

    Threads don't wait for each other where the system has `pread`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("rb", buffering=0)
        self._lock = Lock()
        self.size = path.stat().st_size

    def read(self, offset: int, count: int) -> bytes:
        """Read `count` bytes from `offset`; raise `InputError` when the file ends before."""
        if hasattr(os, "pread"):
            data = os.pread(self._file.fileno(), count, offset)
        else:
            with self._lock:
                self._file.seek(offset)
                data = self._file.read(count)
        if len(data) != count:
            raise InputError(
                "the file ends too early",
                where=self.path,
                expected=f"{count} bytes at {offset}",
                got=len(data),
            )
        return data

    def close(self) -> None:
        """Close the file."""
        self._file.close()
