"""What tells the content of files from others, the same on every machine and at any time."""

from __future__ import annotations

import hashlib
from pathlib import Path

#: Slides whose data lie in a folder beside them that has their name without the ending.
WITH_DATA_FOLDER = (".mrxs",)
#: Blocks of a file that are looked at: slides are too large to read whole.
BLOCKS = 16
#: Files of a folder of which a block is looked at.
FILES = 64
#: Bytes of a block.
BLOCK_BYTES = 65536


def fingerprint(path: Path) -> str:
    """Return a hash of a file's size and of blocks all over it.

    Of a folder it is a hash of the names and sizes of all files in it, and of blocks of some. A
    slide whose data lie in a folder beside it has that folder's hash too. A change that keeps sizes
    and all blocks is not seen.
    """
    digest = hashlib.sha256()
    if path.is_dir():
        _add_folder(digest, path)
        return digest.hexdigest()
    _add_file(digest, path)
    if path.suffix.lower() in WITH_DATA_FOLDER:
        _add_folder(digest, path.with_suffix(""))
    return digest.hexdigest()


def _add_file(digest: hashlib._Hash, path: Path) -> None:
    size = path.stat().st_size
    digest.update(f"{size}\n".encode())
    with path.open("rb") as file:
        if size <= BLOCKS * BLOCK_BYTES:
            digest.update(file.read())
            return
        for number in range(BLOCKS):
            file.seek((size - BLOCK_BYTES) * number // (BLOCKS - 1))
            digest.update(file.read(BLOCK_BYTES))


def _add_folder(digest: hashlib._Hash, folder: Path) -> None:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    for path in files:
        name = path.relative_to(folder).as_posix()
        digest.update(f"{name}\t{path.stat().st_size}\n".encode())
    count = min(FILES, len(files))
    for number in range(count):
        _add_middle(digest, files[number * len(files) // count])


def _add_middle(digest: hashlib._Hash, path: Path) -> None:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - BLOCK_BYTES) // 2)
        digest.update(file.read(BLOCK_BYTES))
