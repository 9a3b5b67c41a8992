"""A bar of a round length on a picture."""

from __future__ import annotations

import math
from dataclasses import dataclass

from stainbridge.geometry.frame import Frame
from stainbridge.report.words import format_length

#: Longest bar, as a share of the picture's width.
LONGEST_SHARE = 0.22
#: Leading digits of round lengths.
ROUND = (5, 2, 1)


@dataclass(frozen=True)
class ScaleBar:
    """How long the bar is drawn, and what it stands for."""

    percent: float
    """Its length, in percent of the picture's width."""
    label: str
    """The length in words."""


def make_scale_bar(view: Frame) -> ScaleBar:
    """Return the longest bar of 1, 2 or 5 times a power of ten that fits a picture of `view`."""
    width_um = view.size_um[0]
    longest = LONGEST_SHARE * width_um
    power = 10.0 ** math.floor(math.log10(longest))
    length = next(digit * power for digit in ROUND if digit * power <= longest)
    return ScaleBar(100 * length / width_um, format_length(length, view))
