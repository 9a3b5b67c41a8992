"""Notice a JPEG that ends too early: its decoder fills the rest with grey and says nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from stainbridge.slides.readers.resample import Interleaved

#: Bytes put where coded data end: a decoder that has all of the data does not look at them.
PROBE = bytes(range(1, 200, 3))
#: Bytes at the end of coded data that always show in the picture, and how many values they have
#: where they are no padding.
TAIL_BYTES = 24
LEAST_VALUES = 5
#: The value that decoders give to what is missing; colours are off by rounding.
GREY = 128
START_OF_IMAGE = 0xD8
END_OF_IMAGE = 0xD9
START_OF_SCAN = 0xDA
RESTART_INTERVAL = 0xDD
PROGRESSIVE = 0xC2
#: What ends coded data: neither a stuffed zero nor a restart follows the byte 255.
MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7]")

Decode = Callable[[bytes], Interleaved]


def find_unread_data(data: bytes, picture: Interleaved, decode: Decode) -> str | None:
    """Return in words that a JPEG has coded data of which `decode` makes nothing; None otherwise.

    Where bytes are lost amid coded data, what follows is read as something else, and often takes
    fewer bits. The last bytes then change nothing in the picture. Padding, which is all alike, is
    no damage. It costs one more decoding. Progressive JPEG is left to `find_jpeg_damage`, and one
    that ends in grey, as missing data do.
    """
    header, scans = _split(data)
    if header & {PROGRESSIVE, RESTART_INTERVAL} or _may_lack_data(picture, has_restarts=False):
        return None
    start, end = scans[-1] if scans else (0, 0)
    tail_start = end - TAIL_BYTES
    if tail_start < start or len(set(data[tail_start:end])) < LEAST_VALUES:
        return None
    kept = data[:tail_start].rstrip(b"\xff")
    return "data is missing" if np.array_equal(decode(kept + data[end:]), picture) else None


def find_jpeg_damage(data: bytes, picture: Interleaved, decode: Decode) -> str | None:
    """Return in words what is missing from a JPEG that `decode` makes `picture` of.

    A decoder takes zero bits where data is missing. Bytes added where coded data end then change
    the picture; those after complete data are skipped. This second decoding is done for progressive
    JPEG, and where a part that must be grey if data is missing is grey. The numbers of restart
    markers tell of lost ones. A loss of some tens of bytes can stay unnoticed.
    """
    header, scans = _split(data)
    has_restarts = RESTART_INTERVAL in header
    if has_restarts and not all(_restarts_follow(data[a:b]) for a, b in scans):
        return "restart markers are missing"
    if not (PROGRESSIVE in header or _may_lack_data(picture, has_restarts)):
        return None
    longer = _add_probes(data, scans, has_restarts)
    return None if np.array_equal(decode(longer), picture) else "data is missing"


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
