"""Find the pages of a TIFF that make up the slide: levels, and in each one plane per channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from stainbridge.errors import InputError

#: Up to this many pages without a declared meaning are channels; more are a stack, whose first
#: page is read.
MOST_UNNAMED_CHANNELS = 16

#: Kinds of series whose levels tifffile knows by their sizes alone.
GUESSED_KINDS = ("generic", "uniform", "shaped")


@dataclass(frozen=True, eq=False)
class PlaneRef:
    """Where one plane is: in a page of its own, or among planes stored one after the other."""

    page: Any
    """A tifffile page."""
    plane: int = 0
    """How many planes lie between the start of the page and this one."""


@dataclass(frozen=True, eq=False)
class TiffLayout:
    """The planes of a slide in a TIFF."""

    levels: tuple[tuple[PlaneRef, ...], ...]
    """For each level, finest first, one plane per channel or per group of interleaved samples."""
    further: tuple[PlaneRef, ...]
    """Pages that may be further levels: whether they show the same picture is not known yet."""
    warnings: tuple[str, ...]
    """What was left out, one line each."""


def find_layout(tif: Any) -> TiffLayout:
    """Find the largest image of an open `tifffile.TiffFile`, with its levels.

    The levels are in SubIFDs or in further pages. Of a z-stack the middle plane is read, of a time
    series the first; `warnings` says so. Raises `InputError` for a file with no image or with axes
    that are not those of a slide.
    """
    series = max(
        (s for s in tif.series if "X" in s.axes and "Y" in s.axes), key=_area, default=None
    )
    if series is None:
        raise InputError("no image in this TIFF", where=tif.filename)
    if int(series.keyframe.imagedepth) != 1:
        raise InputError(
            "this TIFF's layout is not read",
            where=tif.filename,
            expected="flat pages",
            got="volumes",
        )
    chosen, warnings = _channel_indices(series)
    levels = [_pages(level, chosen) for level in series.levels]
    further: list[PlaneRef] = []
    if len(levels[0]) == 1:
        widths = {level[0].page.keyframe.imagewidth for level in levels}
        pages = _find_reduced_pages(tif, levels[0][0].page.keyframe)
        further = [PlaneRef(page) for page in pages if page.imagewidth not in widths]
        if series.kind in GUESSED_KINDS:
            further += [level[0] for level in levels[1:] if not _is_declared(level[0].page)]
            levels = [levels[0], *(each for each in levels[1:] if _is_declared(each[0].page))]
    further.sort(key=lambda plane: -int(plane.page.keyframe.imagewidth))
    return TiffLayout(tuple(levels), tuple(further), warnings)


def _is_declared(page: Any) -> bool:
    """Return whether the file says that a page is another one at a lower resolution."""
    return bool(int(page.keyframe.subfiletype) & 1)


def _area(series: Any) -> int:
    return int(
        np.prod([n for axis, n in zip(series.axes, series.shape, strict=True) if axis in "YX"])
    )


def _leading_axes(series: Any) -> tuple[str, tuple[int, ...]]:
    """Return the axes before the picture's own, and their lengths.

    Samples that are stored separately are inside a page.
    """
    axes = series.axes
    if not axes.endswith(("YX", "YXS")):
        raise InputError(
            "this TIFF's layout is not read",
            where=series.parent.filename,
            expected="axes …YX or …YXS",
            got=axes,
        )
    named = [(axis, n) for axis, n in zip(axes, series.shape, strict=True) if axis not in "YXS"]
    return "".join(axis for axis, _ in named), tuple(n for _, n in named)


def _channel_indices(series: Any) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Return the index of each channel's plane, and what is left out, in words.

    The index counts along the leading axes, flattened.
    """
    axes, shape = _leading_axes(series)
    ranges = []
    warnings = []
    for axis, count in zip(axes, shape, strict=True):
        unnamed = axis in "IQ" and "S" not in series.axes and count <= MOST_UNNAMED_CHANNELS
        if axis == "C" or unnamed:
            ranges.append(range(count))
            continue
        index = count // 2 if axis == "Z" else 0
        ranges.append(range(index, index + 1))
        if count > 1:
            what = {"Z": "a z-stack", "T": "a time series"}.get(axis, f"an axis {axis}")
            warnings.append(f"{what} of {count} planes: plane {index + 1} is read")
    grid = np.meshgrid(*ranges, indexing="ij") if ranges else [np.zeros(1, int)]
    flat = np.ravel_multi_index(grid, shape).ravel() if ranges else grid[0]
    return tuple(int(i) for i in flat), tuple(warnings)


def _pages(series: Any, chosen: tuple[int, ...]) -> tuple[PlaneRef, ...]:
    planes = int(np.prod(_leading_axes(series)[1], initial=1))
    pages = [series.pages[i] for i in range(len(series.pages))]
    if len(pages) == 1 and planes > 1 and series.dataoffset is not None:
        return tuple(PlaneRef(pages[0], plane) for plane in chosen)
    if len(pages) != planes or any(pages[i] is None for i in chosen):
        raise InputError(
            "planes are missing from this TIFF",
            where=series.parent.filename,
            expected=f"{planes} planes",
            got=sum(page is not None for page in pages),
        )
    return tuple(PlaneRef(pages[i]) for i in chosen)


def _find_reduced_pages(tif: Any, base: Any) -> list[Any]:
    """Return the top-level pages that may show the same picture smaller.

    They may be levels that tifffile's rules for the flavour of TIFF overlook.
    """
    pages = [page for page in map(tif.pages.get, range(len(tif.pages))) if page.keyframe is page]
    return [page for page in pages if _is_reduction(page, base)]


def _is_reduction(page: Any, base: Any) -> bool:
    kinds = [(each.samplesperpixel, each.dtype, each.photometric) for each in (page, base)]
    if kinds[0] != kinds[1] or page.imagewidth > 0.75 * base.imagewidth:
        return False
    factor = base.imagewidth / page.imagewidth
    # one pixel of rounding in either direction; labels and macro images have another aspect
    has_same_aspect = abs(base.imagelength / factor - page.imagelength) <= 1.5
    return has_same_aspect and bool(page.is_tiled) == bool(base.is_tiled)
