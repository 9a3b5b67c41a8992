"""Read what Pillow does not tell of a JPEG 2000: bits and number of its samples."""

from __future__ import annotations

from pathlib import Path

from stainbridge.errors import InputError

#: The markers SOC and SIZ, which begin a codestream (ITU-T T.800, A.5.1).
BEGIN = b"\xff\x4f\xff\x51"
#: Bytes between `BEGIN` and the number of components.
COMPONENTS_PLACE = 36
#: Bytes of a file in which the codestream begins.
HEADER_BYTES = 2**20
#: The largest number of bits a sample that is read.
MOST_BITS = 16


def read_depth(path: Path) -> tuple[int, int]:
    """Return bits a sample and the number of samples.

    Raises `InputError` for a damaged header, signed samples and more than 16 bits.
    """
    with path.open("rb") as file:
        header = file.read(HEADER_BYTES)
    place = header.find(BEGIN) + len(BEGIN) + COMPONENTS_PLACE
    if BEGIN not in header or len(header) < place + 3:
        raise InputError("the JPEG 2000 is damaged or truncated", where=path, got="no size in it")
    samples = int.from_bytes(header[place : place + 2], "big")
    bits = (header[place + 2] & 0x7F) + 1
    if header[place + 2] & 0x80 or bits > MOST_BITS:
        raise InputError(
            "this JPEG 2000's samples are not read",
            where=path,
            expected=f"unsigned, at most {MOST_BITS} bits",
            got=f"{bits} bits",
            remedy="convert it to a TIFF",
        )
    return bits, samples
