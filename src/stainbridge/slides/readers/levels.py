"""Frames of the levels of a stored pyramid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame

#: A level may be coarser than wanted by this factor: 1 % comes from rounding sizes, and nobody
#: sees it.
COARSER_TOLERANCE = 1.01


def place_levels(frame: Frame, sizes: Sequence[tuple[int, int]]) -> tuple[Frame, ...]:
    """Return the frames of levels of `sizes` (width, height), finest first.

    `frame` is that of the first level. Writers halve by averaging blocks, and drop or pad the odd
    last column. So a level whose size is a whole fraction of the first, up to rounding, has exactly
    that multiple of its pixel size; its extent differs from the slide's by less than one of its
    pixels. A level of any other size covers the same extent.
    """
    return (frame, *(_place_level(frame, width, height) for width, height in sizes[1:]))


def _place_level(frame: Frame, width: int, height: int) -> Frame:
    factor = round(max(frame.width / width, frame.height / height))
    if abs(width - frame.width / factor) <= 1 and abs(height - frame.height / factor) <= 1:
        mpp = (frame.mpp[0] * factor, frame.mpp[1] * factor)
    else:
        mpp = (frame.size_um[0] / width, frame.size_um[1] / height)
    return replace(frame, width=width, height=height, mpp=mpp)


def choose_level(levels: Sequence[Frame], mpp: tuple[float, float]) -> int:
    """Return the index of the coarsest level that is no coarser than `mpp`, within 1 %.

    It is 0, the finest, when there is none.
    """
    fine_enough = [
        i
        for i, level in enumerate(levels)
        if all(have <= want * COARSER_TOLERANCE for have, want in _axes(level, mpp))
    ]
    return max(fine_enough, key=lambda i: levels[i].mpp[0] * levels[i].mpp[1], default=0)


def _axes(level: Frame, mpp: tuple[float, float]) -> zip[tuple[float, float]]:
    return zip(level.mpp, mpp, strict=True)


def list_pyramid_sizes(
    width: int, height: int, smallest_px: int = 64
) -> tuple[tuple[int, int], ...]:
    """Return the sizes (width, height) of a pyramid whose levels halve, rounded up.

    The longer side of the last level is at most `smallest_px`.
    """
    if min(width, height) < 1:
        raise InputError("an image needs at least one pixel", got=f"{width} x {height}")
    sizes = [(width, height)]
    while max(sizes[-1]) > smallest_px:
        sizes.append(((sizes[-1][0] + 1) // 2, (sizes[-1][1] + 1) // 2))
    return tuple(sizes)
