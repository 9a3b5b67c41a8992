"""What a layout of a published data set is: how it is recognised, and how its cases are read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from stainbridge.slides.case import Case


@dataclass(frozen=True)
class DataSetLayout:
    """One layout in which data sets are published."""

    name: str
    """Its name."""
    signature: str
    """What it is recognised by, for people."""
    find: Callable[[Path], Path | None]
    """Returns the table or folder of a data set of this layout at a path, or None."""
    read: Callable[[Path], list[Case]]
    """Reads the cases of what `find` returned."""
