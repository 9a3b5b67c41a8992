"""Files of a folder, without the hidden ones: macOS puts a `._name` beside every file on a foreign
disk.
"""

from __future__ import annotations

from pathlib import Path


def files_in(folder: Path, endings: tuple[str, ...]) -> list[Path]:
    """Those whose names end so, in any case, sorted; none where there is no folder."""
    if not folder.is_dir():
        return []
    return sorted(
        path
        for path in folder.iterdir()
        if path.name.lower().endswith(endings) and path.name[0] != "."
    )
