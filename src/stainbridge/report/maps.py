"""What a transform does to the plane, drawn: the local change of area and the moving slide's grid."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from stainbridge.geometry.field import jacobian_determinant
from stainbridge.geometry.frame import Frame
from stainbridge.geometry.summary import affine_part
from stainbridge.geometry.transform import DisplacementField, Transform, parts
from stainbridge.report.pictures import Picture
from stainbridge.types import Plane, Points

#: Blue where the moving slide's tissue had to be stretched to fit, over white, to red where it had
#: to shrink.
DIVERGING = ((33, 102, 172), (146, 197, 222), (247, 247, 247), (244, 165, 130), (178, 24, 43))
FOLD = (255, 214, 0)
LIMITS = (1.1, 1.25, 1.5, 2.0, 3.0, 5.0)
SHADE = 0.35  # how much the tissue darkens the map, for orientation


@dataclass(frozen=True, eq=False)
class AreaMap:
    """`factor` (H, W) on `grid`: the local area on the moving slide ÷ that of the affine part; ≤ 0
    is a fold.
    """

    factor: Plane
    grid: Frame

    @property
    def folded_share(self) -> float:
        """Share of the fixed slide's area where the map folds."""
        return float((self.factor <= 0).mean())

    @property
    def limit(self) -> float:
        """The factor at the end of the colour scale: what holds 99 % of the area."""
        upright = self.factor[self.factor > 0]
        spread = np.exp(np.percentile(np.abs(np.log(upright)), 99)) if upright.size else 1.0
        return next((limit for limit in LIMITS if limit >= spread), LIMITS[-1])


def area_map(transform: Transform) -> AreaMap:
    """The area factors of `transform` over its `source`, as finely as its fields (64 to 1024
    samples a side).
    """
    fields = [member.grid for member in parts(transform) if isinstance(member, DisplacementField)]
    finest = max((max(grid.width, grid.height) for grid in fields), default=64)
    grid = transform.source.frame.fit(min(max(finest, 64), 1024))
    determinant = jacobian_determinant(transform.to_field(grid).displacement, grid.mpp)
    return AreaMap(
        np.asarray(determinant / np.linalg.det(affine_part(transform).matrix[:2, :2]), np.float32),
        grid,
    )


def area_picture(areas: AreaMap, fixed_density: Plane) -> Picture:
    """The map in colours at the size of `fixed_density` (H, W), which shades it; folds stand out in
    yellow.
    """
    height, width = fixed_density.shape
    factor = cv2.resize(areas.factor, (width, height), interpolation=cv2.INTER_LINEAR)
    folded = (
        cv2.resize(
            (areas.factor <= 0).astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST
        )
        > 0
    )
    position = np.log(np.maximum(factor, 1e-6)) / np.log(areas.limit)
    anchors = np.linspace(-1, 1, len(DIVERGING))
    colours = np.stack(
        [np.interp(position, anchors, [c[n] for c in DIVERGING]) for n in range(3)], axis=-1
    )
    colours[folded] = FOLD
    return np.asarray(np.rint(colours * (1 - SHADE * fixed_density[..., None])), np.uint8)


def moving_grid(transform: Transform, view: Frame, across: int = 18) -> list[Points]:
    """Lines of a square grid on the moving slide as they lie on the fixed one: polylines (K, 2) in
    pixels of `view`.

    About `across` squares along the moving slide's longer side; the first four lines are its
    outline. Points without a finite place are left out.
    """
    moving, back = transform.target.frame, transform.inverse()
    width, height = moving.size_um
    step = max(width, height) / across
    xs, ys = ([0.0, size, *np.arange(step, size - step / 4, step)] for size in (width, height))
    along = np.linspace(0, 1, 121)
    upright = [_line((x, 0.0), (x, height), along) for x in xs]
    level = [_line((0.0, y), (width, y), along) for y in ys]
    ordered = [*upright[:2], *level[:2], *upright[2:], *level[2:]]
    placed = view.to_px(back(np.concatenate(ordered) + moving.origin_um)).reshape(
        len(ordered), -1, 2
    )
    return [line[np.isfinite(line).all(axis=1)] for line in placed]


def svg_path(line: Points) -> str:
    """The polyline as the `d` of an SVG path."""
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in line) if len(line) else ""


def _line(
    start: tuple[float, float], end: tuple[float, float], along: npt.NDArray[np.float64]
) -> Points:
    return np.asarray(np.outer(1 - along, start) + np.outer(along, end))
