"""Bodies scattered on a jittered lattice (glands, vessels, fat cells), as signed distance to the
two nearest.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from stainbridge.geometry.frame import Frame
from stainbridge.phantom.space.randomness import Integers, compute_axis_centres, derive_key, hash_uniform
from stainbridge.types import Plane

#: The most by which a place may be shifted when the nearest body is looked up.
MAX_SHIFT_UM = 24.0


@dataclass(frozen=True)
class BodyKind:
    """How one kind of body is laid out: one candidate per square of `cell_um`, with radii and
    elongation ranges.

    Distances beyond `far_um` are not told apart. `drift_um` is how far a centre wanders with depth,
    over about `drift_period_um`.
    """

    name: str
    cell_um: float
    radius_um: tuple[float, float]
    elongation: tuple[float, float] = (1.0, 1.0)
    jitter: float = 0.7
    far_um: float = 24.0
    drift_um: float = 3.0
    drift_period_um: float = 120.0


@dataclass(frozen=True, eq=False)
class Bodies:
    """Candidates of a lattice window, all (rows, columns) float32; absent bodies have a radius ≤ 0.

    `first` is the lattice index (column, row) of the first element, `along` the direction of the
    long axis in radians, `mark` a uniform random number for the user's own purposes.
    """

    kind: BodyKind
    first: tuple[int, int]
    x_um: Plane
    y_um: Plane
    radius_um: Plane
    elongation: Plane
    along: Plane
    mark: Plane


@dataclass(frozen=True, eq=False)
class NearestBodies:
    """Signed distances in µm (negative inside) to the nearest and second nearest body, and the
    nearest one's mark.
    """

    first_um: Plane
    second_um: Plane
    mark: Plane


def locate_lattice(kind: BodyKind, frame: Frame) -> tuple[tuple[int, int], Frame]:
    """The lattice squares whose bodies can matter on `frame`: the first's index (column, row), and
    them as a frame.
    """
    cell = kind.cell_um
    low = np.floor(np.array(frame.origin_um) / cell).astype(int) - 2
    high = np.floor((np.array(frame.origin_um) + frame.size_um) / cell).astype(int) + 2
    columns, rows = (high - low + 1).tolist()
    origin = (float(low[0] * cell), float(low[1] * cell))
    return (int(low[0]), int(low[1])), Frame(frame.space, rows, columns, (cell, cell), origin)


def scatter_bodies(kind: BodyKind, first: tuple[int, int], lattice: Frame, seed: int, z_um: float) -> Bodies:
    """Candidates on the squares of `lattice` (from `lattice_frame`) in the plane `z_um`; all are
    present.
    """
    column: Integers = first[0] + np.arange(lattice.width)[None, :]
    row: Integers = first[1] + np.arange(lattice.height)[:, None]

    def draw(name: str) -> Plane:
        return hash_uniform(column, row, derive_key(seed, kind.name, name))

    turn = 2 * np.pi * z_um / kind.drift_period_um

    def place(axis: str, index: Integers) -> Plane:
        wander = kind.drift_um * np.sin(2 * np.pi * draw(f"drift {axis}") + turn)
        return np.asarray(
            (index + 0.5 + kind.jitter * (draw(axis) - 0.5)) * kind.cell_um + wander, np.float32
        )

    low, high = kind.radius_um
    swell = 1 + 0.1 * np.sin(2 * np.pi * draw("swell") + turn)
    return Bodies(
        kind,
        first,
        place("x", column),
        place("y", row),
        np.asarray((low + (high - low) * draw("radius") ** 1.3) * swell, np.float32),
        kind.elongation[0] + (kind.elongation[1] - kind.elongation[0]) * draw("elongation"),
        np.float32(np.pi) * draw("along"),
        draw("mark"),
    )


def find_nearest_bodies(bodies: Bodies, frame: Frame, shift_x: Plane, shift_y: Plane) -> NearestBodies:
    """The two nearest bodies at the pixel centres of `frame`, each moved by (`shift_x`, `shift_y`)
    µm, (H, W) planes.

    Distances are held to the kind's `far_um`, shifts must be within `MOST_SHIFT_UM`.
    """
    x, y = compute_axis_centres(frame)
    # Relative coordinates: float32 is then exact enough anywhere on a slide.
    at_x = (x - frame.origin_um[0]).astype(np.float32)[None, :] + shift_x
    at_y = (y - frame.origin_um[1]).astype(np.float32)[:, None] + shift_y
    first = np.full(at_x.shape, np.float32(bodies.kind.far_um))
    second, mark = first.copy(), np.zeros_like(first)
    for body in _on_raster(bodies, frame):
        window = body.window
        dx, dy = at_x[window] - body.x_um, at_y[window] - body.y_um
        distance = dx * (body.xx * dx + body.xy * dy)
        distance += body.yy * (dy * dy)
        np.sqrt(distance, out=distance)
        distance -= body.radius_um
        nearest_here, second_here = first[window], second[window]
        np.copyto(mark[window], body.mark, where=distance < nearest_here)
        np.minimum(second_here, np.maximum(nearest_here, distance), out=second_here)
        np.minimum(nearest_here, distance, out=nearest_here)
    return NearestBodies(first, second, mark)


@dataclass(frozen=True)
class _Placed:
    """One body on a raster: the window it can matter in, its centre from the raster's corner, its
    quadratic form.
    """

    window: tuple[slice, slice]
    x_um: np.float32
    y_um: np.float32
    xx: np.float32
    xy: np.float32
    yy: np.float32
    radius_um: np.float32
    mark: np.float32


def _on_raster(bodies: Bodies, frame: Frame) -> Iterator[_Placed]:
    """The present bodies that reach `frame`, as area-preserving ellipses."""
    reach = (bodies.radius_um + bodies.kind.far_um) * np.sqrt(bodies.elongation) + MAX_SHIFT_UM
    x, y = bodies.x_um - frame.origin_um[0], bodies.y_um - frame.origin_um[1]
    mpp = frame.mpp[0]
    left, right = np.floor((x - reach) / mpp).astype(int), np.ceil((x + reach) / mpp).astype(int)
    top, bottom = np.floor((y - reach) / mpp).astype(int), np.ceil((y + reach) / mpp).astype(int)
    seen = (
        (bodies.radius_um > 0)
        & (right > 0)
        & (bottom > 0)
        & (left < frame.width)
        & (top < frame.height)
    )
    cos, sin = np.cos(bodies.along), np.sin(bodies.along)
    long, short = 1 / bodies.elongation, bodies.elongation
    xx, xy, yy = (
        cos**2 * long + sin**2 * short,
        2 * cos * sin * (long - short),
        sin**2 * long + cos**2 * short,
    )
    planes = [
        np.asarray(p[seen], np.float32) for p in (x, y, xx, xy, yy, bodies.radius_um, bodies.mark)
    ]
    boxes = np.stack([np.maximum(left, 0), right, np.maximum(top, 0), bottom], axis=-1)[
        seen
    ].tolist()
    for (x0, x1, y0, y1), values in zip(boxes, zip(*planes, strict=True), strict=True):
        yield _Placed((slice(y0, y1), slice(x0, x1)), *values)
