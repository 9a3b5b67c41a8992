"""Notice a JPEG that lacks data: its decoder makes some picture of the rest and says nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from stainbridge.slides.readers.jpeg_length import (
    AHEAD,
    END,
    decode_right_length,
    has_wrong_length,
    join_tables,
    strip_padding,
)
from stainbridge.slides.readers.resample import Interleaved

#: Bytes put where coded data end: a decoder that has all of the data does not look at them.
PROBE = bytes(range(1, 200, 3))
#: The byte 255 in coded data, which is no marker.
STUFFED = b"\xff\x00"
#: What is said of coded data that do not fit.
MISSING = "data is missing"
#: The value that decoders give to what is missing; colours are off by rounding.
GREY = 128
START_OF_IMAGE = 0xD8
END_OF_IMAGE = 0xD9
START_OF_SCAN = 0xDA
RESTART_INTERVAL = 0xDD
#: Kinds of JPEG whose scan is read once, from its beginning to its end.
SEQUENTIAL = {0xC0, 0xC1}
PROGRESSIVE = 0xC2
#: What ends coded data: neither a stuffed zero nor a restart follows the byte 255.
MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7]")

Decode = Callable[[bytes], Interleaved]


def find_lost_data(data: bytes, picture: Interleaved, decode: Decode) -> str | None:
    """Return in words that coded data are shorter or longer than `decode` needs; None otherwise.

    Bytes added at the end must change nothing, and another last byte must change the picture:
    where bytes are lost, what follows is read as something else, and takes fewer or more bits.
    Padding is no damage. To the byte, this is for two more decodings what `find_jpeg_damage` does
    for half a one. Only JPEG of one scan without restarts is looked at.
    """
    header, scans = _split(data)
    if header & {PROGRESSIVE, RESTART_INTERVAL} or len(scans) != 1:
        return None
    start, whole_end = scans[0]
    end = strip_padding(data, whole_end)
    if end <= start:
        return None
    longer = data[:whole_end] + AHEAD + PROBE + END
    if _changes(longer, picture, decode):
        return MISSING
    first = data[end - 1] >> 4
    # its first bit is no padding; a faint change cannot be seen, so that others are tried
    for other in (15 - first, *set(range(16)).difference((first, 15 - first))):
        last = bytes([other << 4 | 15]).replace(b"\xff", STUFFED)
        if _changes(data[: end - 1] + last + PROBE + END, picture, decode):
            return None
    return MISSING


def _changes(data: bytes, picture: Interleaved, decode: Decode) -> bool:
    """Return whether `decode` makes another picture of `data`, or none."""
    try:
        return not np.array_equal(decode(data), picture)
    except OSError:
        return True


def find_jpeg_damage(
    data: bytes, picture: Interleaved, decode: Decode, tables: bytes | None = None
) -> str | None:
    """Return in words what is missing from a JPEG that `decode` makes `picture` of.

    The coded data of one scan must have the right length, and nothing but the picture's end may
    come after them. For progressive JPEG, and where a part between restarts that must be grey if
    data is missing is grey, bytes are added where coded data end: a decoder that lacks data makes
    another picture of them. The numbers of restart markers tell of lost ones. Damage after which
    as many blocks are read as before stays unnoticed. `tables` are those that tiles share.
    """
    header, scans = _split(data)
    has_restarts = RESTART_INTERVAL in header
    if has_restarts and not all(_restarts_follow(data[a:b]) for a, b in scans):
        return "restart markers are missing"
    if header & SEQUENTIAL and len(scans) == 1 and _has_damaged_scan(data, scans[0], tables):
        return MISSING
    if not (PROGRESSIVE in header or _may_lack_data(picture, has_restarts)):
        return None
    longer = _add_probes(data, scans, has_restarts)
    return None if np.array_equal(decode(longer), picture) else MISSING


def decode_undamaged(data: bytes, tables: bytes | None) -> Interleaved | None:
    """Return the pixels (H, W, 3) of an ordinary JPEG in which `find_jpeg_damage` finds nothing.

    Ordinary is YCbCr in one scan without restarts. None where it may be damaged, or is of another
    kind. It costs one decoding, where decoding first and looking for damage then costs more.
    """
    header, scans = _split(data)
    if not header & SEQUENTIAL or RESTART_INTERVAL in header or len(scans) != 1:
        return None
    start, end = scans[0]
    if end <= start or _is_broken_off(data, end):
        return None
    whole = join_tables(tables, data)
    try:
        pixels = decode_right_length(whole, end + len(whole) - len(data))
    except (OSError, SyntaxError):  # Pillow does not read its kind
        return None
    return None if pixels is None or _may_lack_data(pixels, False) else pixels


def is_damaged_jpeg(data: bytes) -> bool:
    """Return whether a JPEG of one scan has coded data of another length than its picture."""
    header, scans = _split(data)
    if not header & SEQUENTIAL or len(scans) != 1:
        return False
    return _has_damaged_scan(data, scans[0], None)


def _has_damaged_scan(data: bytes, scan: tuple[int, int], tables: bytes | None) -> bool:
    """Return whether a scan has another length than its picture, or is broken off by a marker."""
    start, end = scan
    if _is_broken_off(data, end):
        return True
    whole = join_tables(tables, data)
    try:
        return end > start and has_wrong_length(whole, end + len(whole) - len(data))
    except (OSError, SyntaxError):  # Pillow does not read its kind
        return False


def _is_broken_off(data: bytes, end: int) -> bool:
    """Return whether coded data that end there are followed by more than the picture's end."""
    return data[end:].lstrip(b"\xff")[:1] not in (b"", END[1:])


def _may_lack_data(picture: Interleaved, has_restarts: bool) -> bool:
    """Return whether the last pixel is grey, or with restarts the centre of any block."""
    places = [picture[-1:, -1:]] + ([picture[4::8, 4::8]] if has_restarts else [])
    return any((np.abs(place.astype(int) - GREY) <= 1).all(axis=2).any() for place in places)


def _split(data: bytes) -> tuple[set[int], list[tuple[int, int]]]:
    """Return the codes of the segments, and where the coded data of each scan begin and end."""
    codes = set()
    scans = []
    for code, start in _segments(data):
        codes.add(code)
        if code == START_OF_SCAN:
            scans.append((start, _end_of_scan(data, start)))
    return codes, scans


def _segments(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield each segment's code and the place after it; damage ends it."""
    at = 0
    while 0 <= (at := data.find(b"\xff", at)) < len(data) - 1:
        code = data[at + 1]
        if code in (0x00, 0xFF):
            at += 1
        elif code == START_OF_IMAGE or 0xD0 <= code < START_OF_IMAGE:
            at += 2
        elif code == END_OF_IMAGE or at + 4 > len(data):
            return
        else:
            after = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
            yield code, after
            at = _end_of_scan(data, after) if code == START_OF_SCAN else after


def _end_of_scan(data: bytes, start: int) -> int:
    """Return the place of the marker that ends a scan's coded data, restarts left aside."""
    marker = MARKER.search(data, start)
    return len(data) if marker is None else marker.start()


def _find_restarts(coded: bytes) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.uint8]]:
    """Return the places of a scan's restart markers, and their numbers, 0 to 7."""
    values = np.frombuffer(coded, np.uint8)
    places = np.flatnonzero((values[:-1] == 0xFF) & (values[1:] & 0xF8 == 0xD0))
    return places, (values[places + 1] & 7).astype(np.uint8)


def _restarts_follow(coded: bytes) -> bool:
    """Return whether the restart markers of a scan count 0 to 7 over and over."""
    numbers = _find_restarts(coded)[1]
    return bool((numbers == np.arange(len(numbers)) % 8).all())


def _add_probes(data: bytes, scans: list[tuple[int, int]], has_restarts: bool) -> bytes:
    """Return the JPEG with probes before each restart and at the end of each scan.

    At the end of a scan with restarts one more restart is added, for a lost last interval.
    """
    parts = []
    begin = 0
    for start, end in scans:
        places, numbers = _find_restarts(data[start:end])
        for place in (start + int(place) for place in places):
            parts += [data[begin:place], PROBE]
            begin = place
        parts += [data[begin:end], PROBE]
        begin = end
        if has_restarts:
            parts += [bytes([0xFF, 0xD0 + len(numbers) % 8]), PROBE]
    return b"".join([*parts, data[begin:]])
