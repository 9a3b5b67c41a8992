"""Bodies scattered on a jittered lattice (glands, vessels, fat cells), and distances to them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from stainbridge.geometry.frame import Frame
from stainbridge.phantom.space.crop import FloatArray, Window
from stainbridge.phantom.space.randomness import (
    Integers,
    compute_axis_centres,
    derive_key,
    hash_uniform,
)
from stainbridge.types import Plane

#: Largest shift of a point, in µm, when the nearest body is looked up.
MAX_SHIFT_UM = 24.0


@dataclass(frozen=True)
class BodyKind:
    """How bodies of one kind are scattered: one candidate in each square of a lattice."""

    name: str
    """The name of the kind."""
    spacing_um: float
    """Side of a lattice square."""
    radius_um: tuple[float, float]
    """Range of radii."""
    elongation: tuple[float, float] = (1.0, 1.0)
    """Range of the ratio of long to short axis, at constant area."""
    jitter: float = 0.7
    """Range of a centre within its square, as a share of the square's side."""
    max_distance_um: float = 24.0
    """Distances to a body are clipped to this value."""
    drift_um: float = 3.0
    """How far a centre drifts with depth."""
    drift_period_um: float = 120.0
    """Depth after which drift and radius repeat."""


@dataclass(frozen=True, eq=False)
class Bodies:
    """Candidates on a window of a lattice; arrays are (rows, columns) float32."""

    kind: BodyKind
    """The kind of all these bodies."""
    first_index: tuple[int, int]
    """Lattice index (column, row) of the first candidate."""
    x_um: Plane
    """Centres along x."""
    y_um: Plane
    """Centres along y."""
    radius_um: Plane
    """Radii; absent bodies have none above 0."""
    elongation: Plane
    """Ratio of long to short axis."""
    angle_rad: Plane
    """Direction of the long axis."""
    mark: Plane
    """One more uniform random number for each body, for any purpose."""


@dataclass(frozen=True, eq=False)
class NearestBodies:
    """Signed distances to the two nearest bodies, (H, W) in µm, negative inside a body."""

    first_um: Plane
    """Distance to the nearest body."""
    second_um: Plane
    """Distance to the second nearest body."""
    mark: Plane
    """The mark of the nearest body."""


def locate_lattice(kind: BodyKind, frame: Frame) -> tuple[tuple[int, int], Frame]:
    """Return the lattice squares whose bodies can reach `frame`.

    They are given as the index (column, row) of the first square, and as a frame of squares.
    """
    spacing = kind.spacing_um
    low = np.floor(np.array(frame.origin_um) / spacing).astype(int) - 2
    high = np.floor((np.array(frame.origin_um) + frame.size_um) / spacing).astype(int) + 2
    columns, rows = (high - low + 1).tolist()
    origin = (float(low[0] * spacing), float(low[1] * spacing))
    return (int(low[0]), int(low[1])), Frame(frame.space, rows, columns, (spacing, spacing), origin)


def scatter_bodies(
    kind: BodyKind, first_index: tuple[int, int], lattice: Frame, seed: int, z_um: float
) -> Bodies:
    """Return the candidates on `lattice` (from `locate_lattice`) at depth `z_um`, all present."""
    column: Integers = first_index[0] + np.arange(lattice.width)[None, :]
    row: Integers = first_index[1] + np.arange(lattice.height)[:, None]

    def draw(name: str) -> Plane:
        return hash_uniform(column, row, derive_key(seed, kind.name, name))

    depth_rad = 2 * np.pi * z_um / kind.drift_period_um

    def place(axis: str, index: Integers) -> Plane:
        drift = kind.drift_um * np.sin(2 * np.pi * draw(f"drift {axis}") + depth_rad)
        centre = (index + 0.5 + kind.jitter * (draw(axis) - 0.5)) * kind.spacing_um
        return np.asarray(centre + drift, np.float32)

    low, high = kind.radius_um
    swelling = 1 + 0.1 * np.sin(2 * np.pi * draw("swell") + depth_rad)
    return Bodies(
        kind,
        first_index,
        place("x", column),
        place("y", row),
        np.asarray((low + (high - low) * draw("radius") ** 1.3) * swelling, np.float32),
        kind.elongation[0] + (kind.elongation[1] - kind.elongation[0]) * draw("elongation"),
        np.float32(np.pi) * draw("along"),
        draw("mark"),
    )


def find_nearest_bodies(
    bodies: Bodies, frame: Frame, shift_x: Plane, shift_y: Plane
) -> NearestBodies:
    """Return the two nearest bodies at the pixel centres of `frame`.

    Each pixel centre is moved by (`shift_x`, `shift_y`) µm, (H, W) planes within `MAX_SHIFT_UM`.
    Distances are clipped to the kind's `max_distance_um`.
    """
    x, y = compute_axis_centres(frame)
    # Relative coordinates: float32 is then exact enough anywhere on a slide.
    pixel_x = (x - frame.origin_um[0]).astype(np.float32)[None, :] + shift_x
    pixel_y = (y - frame.origin_um[1]).astype(np.float32)[:, None] + shift_y
    first = np.full(pixel_x.shape, np.float32(bodies.kind.max_distance_um))
    second = first.copy()
    mark = np.zeros_like(first)
    for body in _place_on_raster(bodies, frame):
        window = body.window
        distance = body.measure_distance(pixel_x[window], pixel_y[window])
        first_here = first[window]
        second_here = second[window]
        np.copyto(mark[window], body.mark, where=distance < first_here)
        np.minimum(second_here, np.maximum(first_here, distance), out=second_here)
        np.minimum(first_here, distance, out=first_here)
    return NearestBodies(first, second, mark)


@dataclass(frozen=True)
class _RasterBody:
    """One body on a raster, an ellipse of the quadratic form (xx, xy, yy)."""

    window: Window
    """The part of the raster that the body can matter to."""
    x_um: np.float32
    """Centre along x, from the raster's corner."""
    y_um: np.float32
    """Centre along y, from the raster's corner."""
    xx: np.float32
    xy: np.float32
    yy: np.float32
    radius_um: np.float32
    mark: np.float32

    def measure_distance(self, x: Plane, y: Plane) -> Plane:
        """Return signed distances of points to the body's outline, negative inside."""
        dx = x - self.x_um
        dy = y - self.y_um
        distance = dx * (self.xx * dx + self.xy * dy)
        distance += self.yy * (dy * dy)
        np.sqrt(distance, out=distance)
        distance -= self.radius_um
        return np.asarray(distance)


def _place_on_raster(bodies: Bodies, frame: Frame) -> Iterator[_RasterBody]:
    """Yield the present bodies that reach `frame`, as area-preserving ellipses."""
    longest = (bodies.radius_um + bodies.kind.max_distance_um) * np.sqrt(bodies.elongation)
    reach = longest + MAX_SHIFT_UM
    x = bodies.x_um - frame.origin_um[0]
    y = bodies.y_um - frame.origin_um[1]
    mpp = frame.mpp[0]
    left = np.floor((x - reach) / mpp).astype(int)
    right = np.ceil((x + reach) / mpp).astype(int)
    top = np.floor((y - reach) / mpp).astype(int)
    bottom = np.ceil((y + reach) / mpp).astype(int)
    within = (right > 0) & (bottom > 0) & (left < frame.width) & (top < frame.height)
    visible = (bodies.radius_um > 0) & within
    planes = (x, y, *_compute_quadratic_form(bodies), bodies.radius_um, bodies.mark)
    columns = [np.asarray(plane[visible], np.float32) for plane in planes]
    boxes = np.stack([np.maximum(left, 0), right, np.maximum(top, 0), bottom], axis=-1)
    bodies_by_row = zip(*columns, strict=True)
    for (x0, x1, y0, y1), row in zip(boxes[visible].tolist(), bodies_by_row, strict=True):
        yield _RasterBody((slice(y0, y1), slice(x0, x1)), *row)


def _compute_quadratic_form(bodies: Bodies) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the coefficients of x², xy and y² of each body's ellipse."""
    cos = np.cos(bodies.angle_rad)
    sin = np.sin(bodies.angle_rad)
    long = 1 / bodies.elongation
    short = bodies.elongation
    return (
        cos**2 * long + sin**2 * short,
        2 * cos * sin * (long - short),
        sin**2 * long + cos**2 * short,
    )
