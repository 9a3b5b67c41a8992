"""Erase the times of writing from an HDF5 file, so that the same content is the same bytes.

The library notes four times in the header of every object, and offers no way to ITK's users to
leave them out. Layout: HDF5 File Format Specification 3.0, IV.A.1.b "Version 2 Data Object Header
Prefix". The checksum is Jenkins' lookup3 (https://burtleburtle.net/bob/c/lookup3.c).
"""

from __future__ import annotations

from pathlib import Path

SIGNATURE = b"OHDR"
VERSION = 2
#: The flags are the byte after signature and version; this one says that four times follow.
FLAGS_AT = 5
TIMES_FLAG = 0x20
TIMES = slice(6, 22)
#: Flags: two more numbers follow, and how many bytes the size of the messages has.
LIMITS_FLAG = 0x10
LIMITS_BYTES = 4
SIZE_FLAGS = 0x03
CHECKSUM_BYTES = 4
#: Largest header of an object that is looked for; those of transforms have some hundred bytes.
LARGEST_HEADER = 65536
WORD = 0xFFFFFFFF


def erase_times(path: Path) -> None:
    """Set the times in all object headers of a file to zero, and mend the headers' checksums.

    What only looks like a header, in the middle of data, has no right checksum and stays.
    """
    content = bytearray(path.read_bytes())
    at = content.find(SIGNATURE)
    while at >= 0:
        length = _measure_header(content[at : at + LARGEST_HEADER])
        header = content[at : at + length]
        own = content[at + length : at + length + CHECKSUM_BYTES]
        if length and _checksum(header) == own:
            header[TIMES] = bytes(TIMES.stop - TIMES.start)
            content[at : at + length] = header
            content[at + length : at + length + CHECKSUM_BYTES] = _checksum(header)
        at = content.find(SIGNATURE, at + len(SIGNATURE))
    path.write_bytes(content)


def _measure_header(start: bytearray) -> int:
    """Return the bytes of the header at the start, without its checksum; 0 for one without times.

    Only the first chunk of a header counts: further ones hold no times.
    """
    if len(start) < TIMES.stop or start[len(SIGNATURE)] != VERSION:
        return 0
    flags = start[FLAGS_AT]
    if not flags & TIMES_FLAG:
        return 0
    size_at = TIMES.stop + (LIMITS_BYTES if flags & LIMITS_FLAG else 0)
    size_bytes = 1 << (flags & SIZE_FLAGS)
    messages = int.from_bytes(start[size_at : size_at + size_bytes], "little")
    return size_at + size_bytes + messages if messages < LARGEST_HEADER else 0


def _checksum(data: bytearray) -> bytes:
    """Return the lookup3 hash of some bytes, as little-endian bytes."""
    a = b = c = (0xDEADBEEF + len(data)) & WORD
    blocks = max(0, (len(data) - 1) // 12)
    for number in range(blocks):
        x, y, z = _words(data[12 * number : 12 * number + 12])
        a, b, c = _mix((a + x) & WORD, (b + y) & WORD, (c + z) & WORD)
    rest = data[12 * blocks :]
    if rest:
        x, y, z = _words(rest + bytes(12 - len(rest)))
        c = _finish((a + x) & WORD, (b + y) & WORD, (c + z) & WORD)
    return c.to_bytes(CHECKSUM_BYTES, "little")


def _words(block: bytearray) -> tuple[int, int, int]:
    return (
        int.from_bytes(block[0:4], "little"),
        int.from_bytes(block[4:8], "little"),
        int.from_bytes(block[8:12], "little"),
    )


def _rotate(x: int, bits: int) -> int:
    return ((x << bits) | (x >> (32 - bits))) & WORD


def _mix(a: int, b: int, c: int) -> tuple[int, int, int]:
    for first, second, third in ((4, 6, 8), (16, 19, 4)):
        a = ((a - c) & WORD) ^ _rotate(c, first)
        c = (c + b) & WORD
        b = ((b - a) & WORD) ^ _rotate(a, second)
        a = (a + c) & WORD
        c = ((c - b) & WORD) ^ _rotate(b, third)
        b = (b + a) & WORD
    return a, b, c


def _finish(a: int, b: int, c: int) -> int:
    c = ((c ^ b) - _rotate(b, 14)) & WORD
    a = ((a ^ c) - _rotate(c, 11)) & WORD
    b = ((b ^ a) - _rotate(a, 25)) & WORD
    c = ((c ^ b) - _rotate(b, 16)) & WORD
    a = ((a ^ c) - _rotate(c, 4)) & WORD
    b = ((b ^ a) - _rotate(a, 14)) & WORD
    return ((c ^ b) - _rotate(b, 24)) & WORD
