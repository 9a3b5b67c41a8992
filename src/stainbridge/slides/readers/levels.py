"""Where the pixels of a stored pyramid's levels are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame

#: A level may be this much coarser than wanted: 1 % is rounding of sizes, not a loss anyone sees.
COARSER = 1.01


def place_levels(frame: Frame, sizes: Sequence[tuple[int, int]]) -> tuple[Frame, ...]:
    """The frames of levels of `sizes` (width, height), finest first; `frame` is that of the first.

    Writers halve by averaging blocks and drop or pad the odd last column, so a level whose size is
    a whole fraction of the first, up to rounding, has exactly that multiple of its pixel size; its
    extent then differs from the slide's by less than one of its pixels. Any other size is taken as
    a stretch over the same extent.
    """
    return (frame, *(_level_frame(frame, width, height) for width, height in sizes[1:]))


def _level_frame(frame: Frame, width: int, height: int) -> Frame:
    factor = round(max(frame.width / width, frame.height / height))
    if abs(width - frame.width / factor) <= 1 and abs(height - frame.height / factor) <= 1:
        mpp = (frame.mpp[0] * factor, frame.mpp[1] * factor)
    else:
        mpp = (frame.size_um[0] / width, frame.size_um[1] / height)
    return replace(frame, width=width, height=height, mpp=mpp)


def choose_level(levels: Sequence[Frame], mpp: tuple[float, float]) -> int:
    """Index of the coarsest level that is no coarser than `mpp` (within 1 %); the finest when there
    is none.
    """
    fine_enough = [
        i
        for i, level in enumerate(levels)
        if all(have <= want * COARSER for have, want in _axes(level, mpp))
    ]
    return max(fine_enough, key=lambda i: levels[i].mpp[0] * levels[i].mpp[1], default=0)


def _axes(level: Frame, mpp: tuple[float, float]) -> zip[tuple[float, float]]:
    return zip(level.mpp, mpp, strict=True)


def list_pyramid_sizes(
    width: int, height: int, smallest_px: int = 64
) -> tuple[tuple[int, int], ...]:
    """Sizes (width, height) of a pyramid halved, rounding up, until its longer side is at most
    `smallest_px`.
    """
    if min(width, height) < 1:
        raise InputError("an image needs at least one pixel", got=f"{width} x {height}")
    sizes = [(width, height)]
    while max(sizes[-1]) > smallest_px:
        sizes.append(((sizes[-1][0] + 1) // 2, (sizes[-1][1] + 1) // 2))
    return tuple(sizes)
