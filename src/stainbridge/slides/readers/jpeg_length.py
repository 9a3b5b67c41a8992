"""Notice coded data of a JPEG that are too short or too long for its picture."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import numpy.typing as npt
from PIL import JpegImagePlugin

START = b"\xff\xd8"
END = b"\xff\xd9"
#: A JPEG's decoder reduces by this at most, which leaves little but the reading of coded data.
REDUCTION = 8
#: The components' numbers of a JPEG in YCbCr, as its writers give them.
YCBCR_COMPONENTS = [1, 2, 3]
#: As many bytes as a decoder reads ahead, of which it makes long codes where data are missing.
AHEAD = b"\xfe" * 9


class _FedJpeg(JpegImagePlugin.JpegImageFile):
    """A JPEG that is decoded from parts; it notes after each whether its last row is made."""

    def __init__(self, data: bytes, parts: list[bytes]) -> None:
        super().__init__(BytesIO(data))
        self._parts = iter(parts)
        self._is_begun = False
        self.row_is_made: list[bool] = []
        """After each part whether the last row is there; a black one counts as missing."""

    def load_read(self, read_bytes: int) -> bytes:  # noqa: ARG002 - Pillow's own name for it
        """Return the next part; Pillow asks for it when the decoder has used up the last one."""
        if self._is_begun:
            self.note_row()
        self._is_begun = True
        return next(self._parts, b"")

    def note_row(self) -> None:
        """Note whether the last row is made: pixels are 0 before."""
        width, height = self.im.size
        row = self.im.crop((0, height - 1, width, height))
        self.row_is_made.append(row.getbbox(False) is not None)


def has_wrong_length(data: bytes, end: int) -> bool:
    """Return whether the coded data of a JPEG of one scan, which end there, do not fit it.

    A decoder waits for more where it gets all but the last byte, and not where it gets some more
    than all. It reads ahead: some eight bytes too many or too few may not be noticed. Padding is no
    damage, and a picture whose last row is black is not judged. It costs about half a decoding.
    """
    before, after, complete = _feed(data, end)
    if before:
        body = strip_padding(data, end)
        return body == end or _feed(data, body + 1)[0]
    return complete and not after


def decode_right_length(data: bytes, end: int) -> npt.NDArray[np.uint8] | None:
    """Return the pixels (H, W, 3) of a YCbCr JPEG whose coded data, which end there, fit it.

    None for another kind, and where `has_wrong_length` has to look closer. It costs one decoding.
    Raises what Pillow raises for a JPEG that it does not read.
    """
    picture = _open_fed(data, end)
    components = [layer[0] for layer in picture.layer]
    has_other_colours = picture.info.get("adobe_transform", 1) != 1
    if picture.mode != "RGB" or components != YCBCR_COMPONENTS or has_other_colours:
        return None
    if _load(picture) != (False, True, True):
        return None
    return np.asarray(picture)


def strip_padding(data: bytes, end: int) -> int:
    """Return where bytes that are all alike, or zeros, begin before `end`; `end` without any."""
    last = data[end - 1 : end]
    body = len(data[:end].rstrip(last))
    return body if last == b"\0" or body < end - 1 else end


def join_tables(tables: bytes | None, tile: bytes) -> bytes:
    """Return a JPEG of a TIFF's tile and the tables that its tiles share."""
    if tables is None or not tile.startswith(START):
        return tile
    return tables.removesuffix(END) + tile.removeprefix(START)


def _feed(data: bytes, end: int) -> tuple[bool, bool, bool]:
    """Return whether the last row is made before the last byte, with more than all, at the end."""
    picture = _open_fed(data, end)
    picture.draft("L", (max(1, picture.width // REDUCTION), max(1, picture.height // REDUCTION)))
    return _load(picture)


def _open_fed(data: bytes, end: int) -> _FedJpeg:
    """Return a JPEG that is decoded without its last coded byte first, then with more than all."""
    return _FedJpeg(data, [data[: end - 1], data[end - 1 : end] + AHEAD, END])


def _load(picture: _FedJpeg) -> tuple[bool, bool, bool]:
    """Decode a JPEG; return whether its last row is made, as `_feed` does."""
    picture.load()
    picture.note_row()
    before, after, *_ = [*picture.row_is_made, True]
    return before, after, picture.row_is_made[-1]
