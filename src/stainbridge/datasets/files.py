"""List the files of a folder without the hidden ones.

On foreign disks macOS puts a hidden `._name` next to every file.
"""

from __future__ import annotations

from pathlib import Path


def list_files(folder: Path, endings: tuple[str, ...]) -> list[Path]:
    """Return the files with these endings, in any case, sorted; none where there is no folder."""
    if not folder.is_dir():
        return []
    return sorted(
        path
        for path in folder.iterdir()
        if path.name.lower().endswith(endings) and path.name[0] != "."
    )
