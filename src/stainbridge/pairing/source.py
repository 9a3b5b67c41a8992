"""A pair of slides that patches are cut from, as a manifest names it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from stainbridge.ranges import PixelSize, check_ranges

Split: TypeAlias = Literal["train", "val", "test"]


@dataclass(frozen=True, kw_only=True)
class SlidePair:
    """Two slides of one piece of tissue, and what is known of them.

    Raises `InputError` for a pixel size that is out of range.
    """

    id: str
    """What tells the pair from others; part of every patch's file name."""
    patient: str
    """Whose tissue it is: all pairs of a patient are in one split."""
    split: Split
    """The part of the data set that its patches belong to."""
    fixed: Path
    """The slide that stays in place, usually H&E."""
    moving: Path
    """The slide that is aligned to it, usually IHC."""
    label: str = ""
    """A class of the whole pair, such as the HER2 level `2+`; part of the file names."""
    fixed_mpp: PixelSize | None = None
    """µm per pixel of the fixed slide, where its file is wrong or silent."""
    moving_mpp: PixelSize | None = None
    """µm per pixel of the moving slide, where its file is wrong or silent."""
    fixed_landmarks: Path | None = None
    """Points on the fixed slide to pre-align by: CSV, or GeoJSON of QuPath."""
    moving_landmarks: Path | None = None
    """The same points on the moving slide."""
    fixed_mask: Path | None = None
    """A picture of the fixed slide that is not 0 where tissue may be used."""
    moving_mask: Path | None = None
    """A picture of the moving slide that is not 0 where tissue may be used."""
    transform: Path | None = None
    """A folder of `register`, or its transform.h5, to use instead of aligning; None: align."""

    def __post_init__(self) -> None:
        check_ranges(self)
