"""Warp pixels: sample a source grid on an output frame through a transform."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias, get_args

import cv2
import numpy as np
import numpy.typing as npt

from stainbridge.errors import InputError
from stainbridge.geometry.flat import Canvas, Window, is_flat, make_writable
from stainbridge.geometry.frame import Frame
from stainbridge.geometry.lattice import map_to_source
from stainbridge.geometry.piecewise import Piecewise
from stainbridge.geometry.scratch import Scratch
from stainbridge.geometry.source_map import SourceMap
from stainbridge.geometry.transform import Transform
from stainbridge.types import Mask, Pixels

Interpolation = Literal["linear", "cubic", "nearest"]
Crop = Literal["fixed", "overlap", "moving"]
#: Pixels (H, W, C).
Interleaved: TypeAlias = npt.NDArray[np.generic]

#: Side of the squares that the output is computed in, in pixels. They lie on an absolute grid, so
#: that tiled reads equal whole reads.
PATCH_PX = 512
#: Pixels of the largest source box that is read. Folds, tears and perspective make larger ones; the
#: output is then split.
MAX_BOX_PX = 2048 * 2048
#: A source box may begin this many pixels earlier where that saves moving the map.
MAX_SLACK_PX = 32
#: A place this close to a pixel's border, in pixels, lies on it.
ROUNDING_PX = 1e-6

_CV2_FLAGS = {"linear": cv2.INTER_LINEAR, "cubic": cv2.INTER_CUBIC, "nearest": cv2.INTER_NEAREST}
#: The types that cv2.remap takes; with cubic interpolation, all but the last.
_CV2_TYPES = ("uint8", "uint16", "int16", "float32", "float64")


@dataclass(frozen=True)
class Box:
    """Pixel columns x0 ≤ x < x1 and rows y0 ≤ y < y1 of a grid."""

    x0: int
    y0: int
    x1: int
    y1: int


#: Reads a box that lies inside the grid: (H, W, C) pixels, and which are valid, (H, W), or None
#: when all are. The arrays are used before the same thread reads again, and not changed.
Region: TypeAlias = Callable[[Box], tuple[Interleaved, Mask | None]]


@dataclass(frozen=True, eq=False)
class Source:
    """Pixels to be sampled."""

    grid: Frame
    """Where the pixels are."""
    region: Region
    """Reads them."""
    extent_um: tuple[float, float]
    """How far the source reaches, (x, y). A level of a pyramid may be a pixel shorter or longer."""
    channels: int
    """Number of channels of the output; `region` may give padding channels beyond them."""
    background: float
    """The value around the pixels."""
    dtype: npt.DTypeLike
    """The type of the pixels."""
    scratch: Scratch = field(default_factory=Scratch)
    """Work arrays; one may serve all warps of one slide, in any number of threads."""


def warp(
    source: Source, transform: Transform, frame: Frame, interpolation: Interpolation = "linear"
) -> tuple[Interleaved, Mask]:
    """Sample `source` on `frame` through `transform`, from `frame`'s space to the source's.

    Returns (H, W, C) pixels and (H, W) valid. A pixel is valid where its centre falls inside the
    extent of the source and on valid source pixels; elsewhere it is background. Beyond the last
    pixel centre the last pixel is continued. The source is not filtered: choose a grid about as
    coarse as the output. Pixels of one colour are as `make_flat` makes them. Raises `InputError`
    for other pixels than integers and floats; cubic takes 8- and 16-bit integers and 32-bit floats
    only.
    """
    _check_type(np.dtype(source.dtype), interpolation)
    canvas = Canvas((frame.height, frame.width, source.channels), source.dtype)
    valid = np.empty((frame.height, frame.width), bool)
    for patch, part, window in _split_into_patches(frame):
        mapping = map_to_source(transform, patch, source.grid, scratch=source.scratch)
        _sample_into(source, mapping, part, interpolation, canvas, valid, window)
    return canvas.pixels, valid


def check_interpolation(interpolation: str) -> None:
    """Raise `InputError` for another word than "linear", "cubic" and "nearest"."""
    if interpolation not in get_args(Interpolation):
        known = " | ".join(get_args(Interpolation))
        raise InputError("no such interpolation", expected=known, got=interpolation)


def _check_type(dtype: np.dtype[Any], interpolation: Interpolation) -> None:
    check_interpolation(interpolation)
    # cv2.remap's cubic interpolation of 64-bit floats, which stand in for 32-bit integers, drops
    # the border.
    narrow = dtype.kind in "iu" and dtype.itemsize <= 4
    fits = dtype.name in _CV2_TYPES[:4] or (
        interpolation != "cubic" and (dtype.name in _CV2_TYPES or narrow)
    )
    if not fits:
        raise InputError(f"{dtype.name} pixels cannot be warped with {interpolation} interpolation")


def warp_array(
    pixels: Pixels,
    grid: Frame,
    transform: Transform,
    frame: Frame,
    *,
    interpolation: Interpolation = "linear",
    background: float = 0,
) -> tuple[Pixels, Mask]:
    """Sample `pixels` (C, H, W), which lie on `grid`, on `frame` through `transform`.

    Returns (C, H', W') pixels and (H', W') valid. Raises `InputError` when `pixels` does not have
    the size of `grid`.
    """
    if pixels.ndim != 3 or pixels.shape[1:] != (grid.height, grid.width):
        raise InputError(
            "pixels do not match their grid", expected=(grid.height, grid.width), got=pixels.shape
        )
    interleaved = np.ascontiguousarray(np.moveaxis(pixels, 0, -1))

    def region(box: Box) -> tuple[Interleaved, None]:
        return interleaved[box.y0 : box.y1, box.x0 : box.x1], None

    source = Source(grid, region, grid.size_um, len(pixels), background, pixels.dtype)
    out, valid = warp(source, transform, frame, interpolation)
    return np.moveaxis(make_writable(out), -1, 0), valid


def sample_mask(mask: Mask, grid: Frame, transform: Transform, frame: Frame) -> Mask:
    """Return a mask (H, W) on `grid`, seen through `transform` on `frame`; False outside.

    `transform` takes µm of the frame's space to µm of the grid's.
    """
    pixels = mask[None].astype(np.uint8)
    sampled, _ = warp_array(pixels, grid, transform, frame, interpolation="nearest")
    return np.asarray(sampled[0] > 0)


def find_output_frame(
    moving_from_fixed: Transform, fixed: Frame, moving: Frame, crop: Crop = "fixed"
) -> Frame:
    """Return the part of the fixed pixel grid that a warped moving slide is written on.

    "fixed": all of the fixed slide. "moving": the box around all of the moving slide, which may
    reach beyond the fixed one. "overlap": what those two share. Raises `InputError` for another
    word, when there is no overlap, or the moving slide's outline has no finite place on the fixed
    one.
    """
    if crop not in get_args(Crop):
        raise InputError("no such crop", expected=" | ".join(get_args(Crop)), got=crop)
    if crop == "fixed":
        return fixed
    corners = np.vstack([moving.corners_um, moving.corners_um[:1]])
    steps = np.linspace(0, 1, 65)[:, None, None]
    outline = (corners[:-1] * (1 - steps) + corners[1:] * steps).reshape(-1, 2)
    if isinstance(moving_from_fixed, Piecewise):  # any piece may lie outermost on the fixed slide
        tissue = [piece.target_region.points_um for piece in moving_from_fixed.pieces]
        outline = np.concatenate([outline, *tissue])
    placed = fixed.to_px(moving_from_fixed.inverse()(outline))
    if not np.isfinite(placed).all():
        raise InputError(
            "the moving slide's outline has no finite place on the fixed slide", where=moving.label
        )
    low = np.floor(placed.min(axis=0) + ROUNDING_PX)
    high = np.ceil(placed.max(axis=0) - ROUNDING_PX)
    if crop == "overlap":
        low = np.maximum(low, 0)
        high = np.minimum(high, (fixed.width, fixed.height))
    if (high <= low).any():
        raise InputError(
            "the warped moving slide does not overlap the fixed slide", where=moving.label
        )
    x, y = low.astype(int)
    width, height = (high - low).astype(int)
    return fixed.crop(int(x), int(y), int(width), int(height))


def _split_into_patches(frame: Frame) -> Iterator[tuple[Frame, Window, Window]]:
    """Yield the patches that touch `frame`.

    Each is its own frame, its part inside `frame`, and the place of that part in `frame`.
    """
    # Counted from the origin of the physical space; the fraction of a pixel left over is the
    # frame's own.
    x, y = (
        int(np.floor(origin / mpp + ROUNDING_PX))
        for origin, mpp in zip(frame.origin_um, frame.mpp, strict=True)
    )
    for top in range(y // PATCH_PX * PATCH_PX - y, frame.height, PATCH_PX):
        for left in range(x // PATCH_PX * PATCH_PX - x, frame.width, PATCH_PX):
            rows = slice(max(top, 0), min(top + PATCH_PX, frame.height))
            columns = slice(max(left, 0), min(left + PATCH_PX, frame.width))
            part = (
                slice(rows.start - top, rows.stop - top),
                slice(columns.start - left, columns.stop - left),
            )
            yield frame.crop(left, top, PATCH_PX, PATCH_PX), part, (rows, columns)


def _sample_into(
    source: Source,
    mapping: SourceMap,
    part: Window,
    interpolation: Interpolation,
    canvas: Canvas,
    whole: Mask,
    window: Window,
) -> None:
    """Sample `source` at a part of a patch into a window of `canvas`.

    Which pixels are valid is written into the same window of `whole`. The output is split where the
    box that it needs of the source is too large. No map is drawn where the source is of one colour.
    """
    valid = whole[window]
    origin = np.array(mapping.origin)
    low, high = (bound + origin for bound in mapping.bound(part))
    last = np.divide(source.extent_um, source.grid.mpp) - 0.5
    if (high < -0.5).any() or (low > last).any():
        canvas.fill(window, np.full(source.channels, source.background, source.dtype))
        valid[:] = False
        return
    size = np.array([source.grid.width, source.grid.height])
    box = _sampling_box(low, high, size, margin=1 if interpolation == "cubic" else 0)
    if (box.x1 - box.x0) * (box.y1 - box.y0) > MAX_BOX_PX and valid.size > 1:
        for quarter in _split_in_four(valid.shape):
            inner, place = (_shift_window(quarter, outer) for outer in (part, window))
            _sample_into(source, mapping, inner, interpolation, canvas, whole, place)
        return
    if 0 <= box.x0 - origin[0] <= MAX_SLACK_PX and 0 <= box.y0 - origin[1] <= MAX_SLACK_PX:
        box = replace(box, x0=mapping.origin[0], y0=mapping.origin[1])
    pixels, mask = source.region(box)
    is_inside = bool((low >= -0.5).all() and (high <= last).all())
    if is_flat(pixels) and is_inside and mask is None:
        canvas.fill(window, pixels[0, 0, : source.channels])
        valid[:] = True
        return
    x, y = mapping.coordinates[:, part[0], part[1]]
    if (box.x0, box.y0) != mapping.origin:
        # exact: the difference has no more bits than the coordinate
        x = x - np.float32(box.x0 - origin[0])
        y = y - np.float32(box.y0 - origin[1])
    out = canvas.open(window)
    _remap(pixels, x, y, interpolation, out, source.scratch)
    valid[:] = True
    if not is_inside:
        right, bottom = last - (box.x0, box.y0)
        valid &= (x >= -0.5 - box.x0) & (x <= right) & (y >= -0.5 - box.y0) & (y <= bottom)
    if mask is not None:
        valid &= cv2.remap(
            mask.view(np.uint8), x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE
        ).astype(bool)
    if not (is_inside and mask is None) and not valid.all():
        out[~valid] = source.background


def _shift_window(inner: Window, outer: Window) -> Window:
    """Return a window of a window as one of the whole."""
    rows, columns = (
        slice(part.start + whole.start, part.stop + whole.start)
        for part, whole in zip(inner, outer, strict=True)
    )
    return rows, columns


def _sampling_box(
    low: npt.NDArray[np.floating],
    high: npt.NDArray[np.floating],
    size: npt.NDArray[np.int_],
    margin: int,
) -> Box:
    """Return the pixels, at least one, that samples between `low` and `high` need of the grid."""
    first = np.clip(np.floor(low).astype(int) - margin, 0, size - 1)
    last = np.clip(np.floor(high).astype(int) + 1 + margin, first, size - 1)
    return Box(int(first[0]), int(first[1]), int(last[0]) + 1, int(last[1]) + 1)


def _split_in_four(shape: tuple[int, ...]) -> Iterator[Window]:
    """Return up to four windows that cover `shape`, none empty."""
    halves = [[slice(0, n // 2), slice(n // 2, n)] if n > 1 else [slice(0, n)] for n in shape]
    return ((rows, columns) for rows in halves[0] for columns in halves[1])


def _remap(
    pixels: Interleaved,
    x: npt.NDArray[np.float32],
    y: npt.NDArray[np.float32],
    interpolation: Interpolation,
    out: Interleaved,
    scratch: Scratch,
) -> None:
    """Run cv2.remap for any channel count and integer type.

    `pixels` may have padding channels beyond those of `out`.
    """
    channels = out.shape[2]
    if pixels.dtype.name not in _CV2_TYPES:
        wide = np.empty(out.shape, np.float64)
        _remap(pixels.astype(np.float64), x, y, interpolation, wide, scratch)
        limits = np.iinfo(out.dtype.name)
        out[:] = np.clip(np.rint(wide), limits.min, limits.max)
        return
    if channels == 3 and pixels.shape[2] == 4:  # four channels are remapped faster than three
        padded = scratch.array("padded", (*x.shape, 4), pixels.dtype)
        cv2.remap(
            pixels, x, y, _CV2_FLAGS[interpolation], dst=padded, borderMode=cv2.BORDER_REPLICATE
        )
        cv2.cvtColor(padded, cv2.COLOR_RGBA2RGB, dst=out)
        return
    for start in range(0, channels, 4):
        group = np.ascontiguousarray(pixels[..., start : min(start + 4, channels)])
        sampled = np.asarray(
            cv2.remap(group, x, y, _CV2_FLAGS[interpolation], borderMode=cv2.BORDER_REPLICATE)
        )
        out[..., start : start + 4] = sampled if sampled.ndim == 3 else sampled[..., None]
