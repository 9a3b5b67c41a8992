"""Whether files are still the ones that an earlier job read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any


def stamp_files(files: Mapping[str, Path | None]) -> dict[str, Any]:
    """Return what tells each file, by its role, from another version of it, as JSON values.

    That is its real path, its size and when it was last changed; files that are None or cannot be
    reached are None.
    """
    return {role: _stamp(file) for role, file in files.items()}


def _stamp(file: Path | None) -> list[str | int] | None:
    if file is None:
        return None
    try:
        facts = file.stat()
    except OSError:
        return None
    return [str(file.resolve()), facts.st_size, facts.st_mtime_ns]
