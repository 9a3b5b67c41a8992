"""Work arrays that a thread uses again: fresh large ones cost more in page faults than the work
done on them.
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import numpy.typing as npt


class Scratch(threading.local):
    """Named arrays, each thread its own; asking for a name again gives the same memory, its old
    contents in it.

    Who hands a scratch down shares its names with whom it is handed to, and with no one else.
    """

    def __init__(self) -> None:
        self._buffers: dict[str, npt.NDArray[np.uint8]] = {}

    def array(self, name: str, shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """An uninitialised, contiguous array; grows with the largest one asked for under this name."""
        nbytes = int(np.prod(shape)) * np.dtype(dtype).itemsize
        buffer = self._buffers.get(name)
        if buffer is None or buffer.nbytes < nbytes:
            buffer = self._buffers[name] = np.empty(nbytes, np.uint8)
        return buffer[:nbytes].view(dtype).reshape(shape)
