"""A TIFF file written in one pass: data segments in any order, directories at the end, BigTIFF only
when it has to be.

TIFF 6.0 (Adobe, 1992), its Technical Note 1 (SubIFD trees), and BigTIFF
(https://www.awaresystems.be/imaging/tiff/bigtiff.html). That segments may come in any order is what
keeps the writer's memory flat: a pyramid is finished stripe by stripe, not level by level.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO, Literal

Kind = Literal["ascii", "short", "long", "rational", "offset"]
_HEADER_BYTES = 16  # BigTIFF's; a classic header uses the first 8
_CLASSIC_LIMIT = 2**32 - 1
_SUB_IFDS = 330


@dataclass(frozen=True)
class Tag:
    """One field of a directory; rationals are numerator and denominator one after the other."""

    code: int
    kind: Kind
    values: bytes | Sequence[int]


@dataclass(frozen=True)
class Directory:
    """One image: its tags in any order, and the directories below it."""

    tags: tuple[Tag, ...]
    children: tuple[Directory, ...] = ()


Segment = tuple[int, int]  # offset and length in bytes


@dataclass(frozen=True)
class _Layout:
    """What differs between classic TIFF and BigTIFF."""

    count: str  # struct code of the number of entries
    offset: str  # struct code of offsets and of the entries' value counts
    codes: dict[Kind, int]

    @property
    def width(self) -> int:
        return struct.calcsize(f"<{self.offset}")


_CLASSIC = _Layout("H", "I", {"ascii": 2, "short": 3, "long": 4, "rational": 5, "offset": 4})
_BIG = _Layout("Q", "Q", {"ascii": 2, "short": 3, "long": 4, "rational": 5, "offset": 16})


class TiffContainer:
    """Appends segments to `file`, an empty binary file, and closes with the directories that point
    at them.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._end = _HEADER_BYTES
        self._shared: dict[bytes, Segment] = {}
        file.write(bytes(_HEADER_BYTES))

    def append(self, data: bytes) -> Segment:
        """Write a segment and return its place."""
        segment = (self._end, len(data))
        self._put(data)
        return segment

    def append_once(self, data: bytes) -> Segment:
        """Like `append`, but equal data is stored once and shared."""
        if data not in self._shared:
            self._shared[data] = self.append(data)
        return self._shared[data]

    def finish(self, directories: Sequence[Directory], *, big: bool | None = None) -> None:
        """Write the directories and the header; BigTIFF when `big`, or when the offsets need it."""
        spare = 2**16 + sum(_size_bound(directory) for directory in directories)
        layout = _BIG if (self._end + spare > _CLASSIC_LIMIT if big is None else big) else _CLASSIC
        following = 0
        for directory in reversed(directories):
            following = self._directory(directory, following, layout)
        self._file.seek(0)
        if layout is _BIG:
            self._file.write(struct.pack("<2sHHHQ", b"II", 43, 8, 0, following))
        else:
            self._file.write(struct.pack("<2sHI", b"II", 42, following))

    def _put(self, data: bytes) -> None:
        self._file.write(data)
        self._end += len(data)
        if self._end % 2:  # offsets of directories and values are even
            self._file.write(b"\0")
            self._end += 1

    def _directory(self, directory: Directory, following: int, layout: _Layout) -> int:
        """Write one directory after its children and its long values; return its offset."""
        tags = list(directory.tags)
        if directory.children:
            below = [self._directory(child, 0, layout) for child in directory.children]
            tags.append(Tag(_SUB_IFDS, "offset", below))
        entries = [self._entry(tag, layout) for tag in sorted(tags, key=lambda tag: tag.code)]
        offset = self._end
        count = struct.pack(f"<{layout.count}", len(entries))
        self._put(count + b"".join(entries) + struct.pack(f"<{layout.offset}", following))
        return offset

    def _entry(self, tag: Tag, layout: _Layout) -> bytes:
        data = _pack_values(tag, layout)
        count = len(tag.values) // (2 if tag.kind == "rational" else 1)
        head = struct.pack(f"<HH{layout.offset}", tag.code, layout.codes[tag.kind], count)
        if len(data) <= layout.width:
            return head + data.ljust(layout.width, b"\0")
        offset = self._end
        self._put(data)
        return head + struct.pack(f"<{layout.offset}", offset)


def _pack_values(tag: Tag, layout: _Layout) -> bytes:
    if isinstance(tag.values, bytes):
        return tag.values
    code = {"short": "H", "long": "I", "rational": "I", "offset": layout.offset, "ascii": "B"}[
        tag.kind
    ]
    return struct.pack(f"<{len(tag.values)}{code}", *tag.values)


def _size_bound(directory: Directory) -> int:
    """More bytes than a classic directory and all below it can take."""
    own = sum(16 + 8 * len(tag.values) for tag in directory.tags)
    return own + sum(64 + _size_bound(child) for child in directory.children)
