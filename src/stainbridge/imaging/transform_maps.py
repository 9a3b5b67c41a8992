"""Draw what a transform does to the plane: local changes of area, and the moving grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from stainbridge.geometry.field import jacobian_determinant
from stainbridge.geometry.frame import Frame
from stainbridge.geometry.piecewise import Piecewise, TransformedPiece
from stainbridge.geometry.summary import find_affine_part
from stainbridge.geometry.transform import DisplacementField, Transform, split_chain
from stainbridge.imaging.pictures import Picture
from stainbridge.types import Mask, Plane, Points

#: RGB colours of the area factor: blue where the moving slide's tissue was stretched to fit,
#: white where its area is unchanged, red where it was shrunk.
DIVERGING = ((33, 102, 172), (146, 197, 222), (247, 247, 247), (244, 165, 130), (178, 24, 43))
#: RGB colour of folds: yellow, which the scale does not have.
FOLD = (255, 214, 0)
#: Area factors at the end of the colour scale; the first that holds the map is taken.
LIMITS = (1.1, 1.25, 1.5, 2.0, 3.0, 5.0)
#: Steps of a scale of colours: neighbours differ by less than half a grey level.
SCALE_STEPS = 1024
#: Share by which the densest tissue darkens the map, for orientation.
TISSUE_SHADE = 0.35
#: Samples along the longer side of a map, at least and at most.
LEAST_SAMPLES = 64
MOST_SAMPLES = 1024
#: Lines of a grid that are the outline of the slide.
OUTLINE_LINES = 4


@dataclass(frozen=True, eq=False)
class AreaMap:
    """The local change of area of a transform, beyond its affine part."""

    factor: Plane
    """(H, W): local area on the moving slide ÷ that of the affine part; ≤ 0 is a fold.

    Not a number on glass between pieces of tissue, where maps meet that have nothing in common.
    """
    grid: Frame
    """Where the samples of `factor` lie on the fixed slide."""

    @property
    def is_known(self) -> Mask:
        """Where the factor is measured, (H, W)."""
        return np.asarray(np.isfinite(self.factor))

    @property
    def folded_share(self) -> float:
        """Share of the measured area where the map folds."""
        return float((self.factor[self.is_known] <= 0).mean())

    @property
    def limit(self) -> float:
        """The factor at the end of the colour scale, which holds 99 % of the area."""
        unfolded = self.factor[self.factor > 0]
        spread = np.exp(np.percentile(np.abs(np.log(unfolded)), 99)) if unfolded.size else 1.0
        return next((limit for limit in LIMITS if limit >= spread), LIMITS[-1])


def area_map(transform: Transform) -> AreaMap:
    """Sample the area factors of `transform` over its `source` plane.

    The grid is as fine as the transform's finest field, 64 to 1024 samples along the longer side.
    Of pieces of tissue, each is measured inside itself, beyond its own affine part.
    """
    pieces = transform.pieces if isinstance(transform, Piecewise) else ()
    maps = [piece.transform for piece in pieces] or [transform]
    plane = transform.source.frame
    samples = max(_count_samples(member, plane) for member in maps)
    grid = plane.fit(min(max(samples, LEAST_SAMPLES), MOST_SAMPLES))
    if not pieces:
        return AreaMap(_measure_factor(transform, grid), grid)
    factor = np.full((grid.height, grid.width), np.nan, np.float32)
    for piece in pieces:
        inside = piece.source_region.contains(grid.centres_um()).reshape(factor.shape)
        factor[inside] = _measure_factor(piece.transform, grid)[inside]
    return AreaMap(factor, grid)


def _count_samples(transform: Transform, plane: Frame) -> int:
    """Return the samples along the longer side of `plane` that its finest field has, or would."""
    fields = [member for member in split_chain(transform) if isinstance(member, DisplacementField)]
    finest_um = min((max(field.grid.mpp) for field in fields), default=np.inf)
    return round(max(plane.size_um) / finest_um)


def _measure_factor(transform: Transform, grid: Frame) -> Plane:
    """Return the area factor beyond the affine part, (H, W)."""
    determinant = jacobian_determinant(transform.to_field(grid).displacement, grid.mpp)
    affine_factor = np.linalg.det(find_affine_part(transform).matrix[:2, :2])
    return np.asarray(determinant / affine_factor, np.float32)


def draw_area_map(areas: AreaMap, fixed_density: Plane) -> Picture:
    """Colour the map at the size of `fixed_density` (H, W), which shades it; folds are yellow."""
    colours = colour_area_map(areas, *fixed_density.shape)
    return np.asarray(np.rint(colours * (1 - TISSUE_SHADE * fixed_density[..., None])), np.uint8)


def colour_area_map(areas: AreaMap, height: int, width: int) -> npt.NDArray[np.float32]:
    """Return the colours of the map, (H, W, 3) from 0 to 255; folds are yellow."""
    shown = np.where(areas.is_known, areas.factor, np.float32(1))
    factor = cv2.resize(shown, (width, height), interpolation=cv2.INTER_LINEAR)
    folded_samples = (areas.factor <= 0).astype(np.uint8)
    folded = cv2.resize(folded_samples, (width, height), interpolation=cv2.INTER_NEAREST) > 0
    position = np.log(np.maximum(factor, 1e-6)) / np.log(areas.limit)
    anchors = np.linspace(-1, 1, len(DIVERGING))
    colours = interpolate_colours(position, anchors, DIVERGING)
    colours[folded] = FOLD
    return colours


def interpolate_colours(
    values: npt.NDArray[np.floating],
    anchors: npt.NDArray[np.floating],
    colours: Sequence[tuple[int, int, int]],
) -> npt.NDArray[np.float32]:
    """Return the colours (H, W, 3), 0 to 255, of finite values (H, W) on a scale of colours.

    They are looked up in a table of `SCALE_STEPS`.
    """
    low, high = float(anchors[0]), float(anchors[-1])
    scale = np.linspace(low, high, SCALE_STEPS + 1)
    channels = [
        np.interp(scale, anchors, [colour[channel] for colour in colours]) for channel in range(3)
    ]
    table = np.stack(channels, axis=-1).astype(np.float32)
    steps = np.rint((values - low) * (SCALE_STEPS / (high - low)))
    return np.asarray(table[np.clip(steps, 0, SCALE_STEPS).astype(np.intp)])


def moving_grid(transform: Transform, view: Frame, across: int = 18) -> list[Points]:
    """Return the lines of a square grid of the moving slide as they lie on the fixed slide.

    Each line is a polyline (K, 2) in pixels of `view`; the first four are the moving slide's
    outline. About `across` squares fit along the moving slide's longer side. Points that the
    transform takes to no finite place are left out. Of pieces of tissue, the lines end where the
    piece does, and the outline is empty: what it encloses lies in several places.
    """
    lines = _draw_grid(transform.target.frame, across)
    if isinstance(transform, Piecewise):
        backs = [piece.inverse() for piece in transform.pieces]
        outline = [np.zeros((0, 2))] * OUTLINE_LINES
        cut = [(back, run) for back in backs for line in lines for run in _cut_line(back, line)]
        return outline + [view.to_px(back.transform(run)) for back, run in cut]
    fixed_from_moving = transform.inverse()
    placed_px = view.to_px(fixed_from_moving(np.concatenate(lines)))
    placed = placed_px.reshape(len(lines), -1, 2)
    return [line[np.isfinite(line).all(axis=1)] for line in placed]


def _draw_grid(moving: Frame, across: int) -> list[Points]:
    """Return lines (K, 2) in µm of the moving slide's plane, those of its outline first."""
    width, height = moving.size_um
    step = max(width, height) / across
    xs, ys = ([0.0, size, *np.arange(step, size - step / 4, step)] for size in (width, height))
    fractions = np.linspace(0, 1, 121)
    upright = [_line((x, 0.0), (x, height), fractions) for x in xs]
    level = [_line((0.0, y), (width, y), fractions) for y in ys]
    ordered = [*upright[:2], *level[:2], *upright[2:], *level[2:]]
    return [line + moving.origin_um for line in ordered]


def _cut_line(piece: TransformedPiece, line: Points) -> list[Points]:
    """Return the runs of a line (K, 2) that lie in a piece's source region."""
    inside = piece.source_region.contains(line)
    ends = np.flatnonzero(np.diff(inside)) + 1
    return [
        run
        for run, is_in in zip(np.split(line, ends), np.split(inside, ends), strict=True)
        if is_in[0] and len(run) > 1
    ]


def _line(
    start: tuple[float, float], end: tuple[float, float], fractions: npt.NDArray[np.float64]
) -> Points:
    return np.asarray(np.outer(1 - fractions, start) + np.outer(fractions, end))
