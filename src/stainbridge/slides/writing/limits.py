"""How much may be written at all."""

from __future__ import annotations

from pathlib import Path

from stainbridge.errors import InputError

#: Most bytes of pixels of an output: the largest scans have a tenth of it.
MOST_BYTES = 2 * 10**12


def check_pixel_bytes(total: int, path: Path, *, got: str, remedy: str) -> None:
    """Raise `InputError` for an output of more pixels than any disk holds; say it in `got`."""
    if total > MOST_BYTES:
        raise InputError(
            f"the output would be {total / 10**12:.3g} TB of pixels",
            where=path,
            expected=f"at most {MOST_BYTES // 10**12} TB",
            got=got,
            remedy=remedy,
        )
