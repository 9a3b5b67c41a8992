"""Write a TIFF file in one pass: data segments in any order, then the directories.

TIFF 6.0 (Adobe, 1992), its Technical Note 1 (SubIFD trees), and BigTIFF
(https://www.awaresystems.be/imaging/tiff/bigtiff.html). Since segments may come in any order, a
pyramid is written stripe by stripe, not level by level, and memory stays flat.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO, Literal

Kind = Literal["ascii", "short", "long", "rational", "undefined", "offset"]
#: Bytes of a BigTIFF's header; a classic header uses the first 8.
_HEADER_BYTES = 16
#: The largest offset in a classic TIFF, in bytes.
_CLASSIC_LIMIT = 2**32 - 1
#: The tag that lists the directories below one.
_SUB_IFDS = 330


@dataclass(frozen=True)
class Tag:
    """One field of a directory."""

    code: int
    """Its number in the TIFF specification."""
    kind: Kind
    """Type of its values."""
    values: bytes | Sequence[int]
    """Text, or numbers; a rational is a numerator followed by a denominator."""


@dataclass(frozen=True)
class Directory:
    """One image of the file."""

    tags: tuple[Tag, ...]
    """Its tags, in any order."""
    children: tuple[Directory, ...] = ()
    """The directories below it."""


#: Offset and length, in bytes.
Segment = tuple[int, int]


@dataclass(frozen=True)
class _OffsetFormat:
    """What differs between classic TIFF and BigTIFF."""

    count: str
    """The `struct` code of the number of entries."""
    offset: str
    """The `struct` code of offsets and of the number of values of an entry."""
    codes: dict[Kind, int]
    """The number of each type of value."""

    @property
    def width(self) -> int:
        return struct.calcsize(f"<{self.offset}")


_CODES: dict[Kind, int] = {"ascii": 2, "short": 3, "long": 4, "rational": 5, "undefined": 7}
_CLASSIC = _OffsetFormat("H", "I", {**_CODES, "offset": 4})
_BIG = _OffsetFormat("Q", "Q", {**_CODES, "offset": 16})


class TiffContainer:
    """A TIFF being written to `file`, an empty binary file.

    Segments are appended; `finish` writes the directories that point at them.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._end = _HEADER_BYTES
        self._shared: dict[bytes, Segment] = {}
        file.write(bytes(_HEADER_BYTES))

    def append(self, data: bytes) -> Segment:
        """Write a segment and return its place."""
        segment = (self._end, len(data))
        self._append(data)
        return segment

    def append_once(self, data: bytes) -> Segment:
        """Like `append`, but equal data is stored once and shared."""
        if data not in self._shared:
            self._shared[data] = self.append(data)
        return self._shared[data]

    def finish(self, directories: Sequence[Directory], *, big: bool | None = None) -> None:
        """Write the directories and the header; BigTIFF when `big`, or when the offsets need it."""
        if big is None:
            spare = 2**16 + sum(_bound_size(directory) for directory in directories)
            big = self._end + spare > _CLASSIC_LIMIT
        offset_format = _BIG if big else _CLASSIC
        following = 0
        for directory in reversed(directories):
            following = self._write_directory(directory, following, offset_format)
        self._file.seek(0)
        if offset_format is _BIG:
            self._file.write(struct.pack("<2sHHHQ", b"II", 43, 8, 0, following))
        else:
            self._file.write(struct.pack("<2sHI", b"II", 42, following))

    def _append(self, data: bytes) -> None:
        self._file.write(data)
        self._end += len(data)
        if self._end % 2:  # offsets of directories and values are even
            self._file.write(b"\0")
            self._end += 1

    def _write_directory(
        self, directory: Directory, following: int, offset_format: _OffsetFormat
    ) -> int:
        """Write one directory after its children and its long values; return its offset."""
        tags = list(directory.tags)
        if directory.children:
            offsets = [
                self._write_directory(child, 0, offset_format) for child in directory.children
            ]
            tags.append(Tag(_SUB_IFDS, "offset", offsets))
        entries = [
            self._write_entry(tag, offset_format) for tag in sorted(tags, key=lambda tag: tag.code)
        ]
        offset = self._end
        count = struct.pack(f"<{offset_format.count}", len(entries))
        self._append(count + b"".join(entries) + struct.pack(f"<{offset_format.offset}", following))
        return offset

    def _write_entry(self, tag: Tag, offset_format: _OffsetFormat) -> bytes:
        data = _pack_values(tag, offset_format)
        count = len(tag.values) // (2 if tag.kind == "rational" else 1)
        head = struct.pack(
            f"<HH{offset_format.offset}", tag.code, offset_format.codes[tag.kind], count
        )
        if len(data) <= offset_format.width:
            return head + data.ljust(offset_format.width, b"\0")
        offset = self._end
        self._append(data)
        return head + struct.pack(f"<{offset_format.offset}", offset)


def _pack_values(tag: Tag, offset_format: _OffsetFormat) -> bytes:
    if isinstance(tag.values, bytes):
        return tag.values
    code = {
        "short": "H",
        "long": "I",
        "rational": "I",
        "offset": offset_format.offset,
        "ascii": "B",
        "undefined": "B",
    }[tag.kind]
    return struct.pack(f"<{len(tag.values)}{code}", *tag.values)


def _bound_size(directory: Directory) -> int:
    """Return more bytes than a classic directory and all below it can take."""
    own = sum(16 + 8 * len(tag.values) for tag in directory.tags)
    return own + sum(64 + _bound_size(child) for child in directory.children)
