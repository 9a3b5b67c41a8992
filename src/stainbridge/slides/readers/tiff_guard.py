"""What a TIFF's directories claim, looked at before a library follows them.

A TIFF is a chain of directories (IFDs), each of which may name further ones (SubIFDs). A chain that
closes, or one that names a directory thousands of times, would be followed for ever.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from stainbridge.errors import InputError

#: Most directories of a chain: long series of planes have some ten thousands.
MOST_PAGES = 20_000
#: Most entries that a directory names as SubIFDs: a pyramid has some ten levels.
MOST_SUB_PAGES = 256
#: Most entries of a directory; the standard has some hundreds of tags.
MOST_TAGS = 4096
#: The tag of SubIFDs.
SUB_IFDS = 330


@dataclass(frozen=True)
class _Layout:
    """The numbers of a classic or a big TIFF."""

    order: str
    """Byte order, as `struct` writes it."""
    offset: str
    """Type of an offset."""
    count: str
    """Type of the number of entries."""
    entry_bytes: int
    """Bytes of an entry."""

    def read(self, file: BinaryIO, kind: str) -> int:
        size = struct.calcsize(kind)
        data = file.read(size)
        return int(struct.unpack(self.order + kind, data)[0]) if len(data) == size else 0


def check_directories(path: Path) -> None:
    """Raise `InputError` for a TIFF whose directories form a loop or are too many.

    Other damage is left to the reader.
    """
    with path.open("rb") as file:
        layout = _read_layout(file)
        if layout is None:
            return
        seen: set[int] = set()
        offset = layout.read(file, layout.offset)
        while offset:
            if offset in seen:
                raise _refuse(path, "the TIFF's pages form a loop", f"page {len(seen)} again")
            if len(seen) >= MOST_PAGES:
                raise _refuse(path, "the TIFF has too many pages", f"more than {MOST_PAGES}")
            seen.add(offset)
            offset = _check_directory(file, layout, offset, path)


def _read_layout(file: BinaryIO) -> _Layout | None:
    head = file.read(4)
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    if order is None or len(head) < 4:
        return None
    version = struct.unpack(order + "H", head[2:])[0]
    if version == 43:
        file.read(4)
        return _Layout(order, "Q", "Q", 20)
    return _Layout(order, "I", "H", 12) if version == 42 else None


def _check_directory(file: BinaryIO, layout: _Layout, offset: int, path: Path) -> int:
    """Check one directory's SubIFDs and return where the next one is; 0 for none."""
    file.seek(offset)
    count = layout.read(file, layout.count)
    if not 0 < count <= MOST_TAGS:
        return 0
    entries = file.read(count * layout.entry_bytes)
    for start in range(0, len(entries), layout.entry_bytes):
        entry = entries[start : start + layout.entry_bytes]
        if len(entry) < layout.entry_bytes:
            return 0
        tag = struct.unpack_from(layout.order + "H", entry)[0]
        number = struct.unpack_from(layout.order + layout.offset, entry, 4)[0]
        if tag == SUB_IFDS and number > MOST_SUB_PAGES:
            raise _refuse(path, "the TIFF's page has too many SubIFDs", str(number))
    return layout.read(file, layout.offset)


def _refuse(path: Path, what: str, got: str) -> InputError:
    expected = f"at most {MOST_PAGES} pages, each named once, with {MOST_SUB_PAGES} levels"
    return InputError(
        what, where=path, expected=expected, got=got, remedy="convert it to an OME-TIFF"
    )
