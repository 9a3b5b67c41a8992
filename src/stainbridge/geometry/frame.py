"""Space and Frame: which plane points lie in, and where pixels are in it, in micrometres.

The one place that knows pixel-centre conventions.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from uuid import uuid4

import numpy as np
import numpy.typing as npt

from stainbridge.errors import InputError
from stainbridge.geometry.points import as_pairs
from stainbridge.types import Matrix, Points


def _new_id() -> str:
    return uuid4().hex


@dataclass(frozen=True)
class Space:
    """The plane of one slide: its identity and its full-resolution grid.

    Whoever opens a slide makes its space. Two spaces are equal when their `id` is, and every new
    space gets an `id` of its own, so that slides of the same name in two folders are told apart.
    A copy of a slide in another process keeps the `id`.

    (0, 0) µm is the top-left *corner* of the top-left full-resolution pixel, x right, y down.

    Raises `InputError` for an empty grid or a pixel size that is not positive and finite.

    Example:
        >>> space = stainbridge.Space("he.svs", height=600, width=800, mpp=(0.5, 0.5))
        >>> space.frame.size_um
        (400.0, 300.0)
        >>> space == stainbridge.Space("he.svs", height=600, width=800, mpp=(0.5, 0.5))
        False

    """

    label: str = field(compare=False)
    """A name for messages; it identifies nothing."""
    height: int = field(compare=False)
    """Rows at full resolution."""
    width: int = field(compare=False)
    """Columns at full resolution."""
    mpp: tuple[float, float] = field(default=(1.0, 1.0), compare=False)
    """µm per full-resolution pixel, (x, y)."""
    calibrated: bool = field(default=True, compare=False)
    """False when the file gave no trustworthy pixel size; "µm" then are full-resolution pixels."""
    id: str = field(default_factory=_new_id, repr=False)
    """What tells this plane from every other."""

    def __post_init__(self) -> None:
        _check_grid(self.label, self.height, self.width, self.mpp)

    @cached_property
    def frame(self) -> Frame:
        """The full-resolution frame; its origin is (0, 0) µm."""
        return Frame(self, self.height, self.width, self.mpp)


@dataclass(frozen=True)
class Frame:
    """A rectangular grid of pixels in a space.

    The centre of pixel (column i, row j) is at
    `origin_um + ((i + 0.5)·mpp_x, (j + 0.5)·mpp_y)`.

    Raises `InputError` for an empty grid or a pixel size that is not positive and finite.

    Example:
        >>> frame = stainbridge.Space("he.svs", height=600, width=800, mpp=(0.5, 0.5)).frame
        >>> frame.to_um(np.array([[10, 20]]))
        array([[ 5., 10.]])
        >>> detail = frame.crop(100, 200, width=64, height=32)
        >>> detail.origin_um
        (50.0, 100.0)
        >>> frame.fit(400).mpp
        (1.0, 1.0)

    """

    space: Space
    """The plane that the grid lies in."""
    height: int
    """Rows."""
    width: int
    """Columns."""
    mpp: tuple[float, float] = (1.0, 1.0)
    """µm per pixel, (x, y)."""
    origin_um: tuple[float, float] = (0.0, 0.0)
    """The top-left corner of the top-left pixel, (x, y)."""

    def __post_init__(self) -> None:
        _check_grid(self.space.label, self.height, self.width, self.mpp)

    @property
    def label(self) -> str:
        """The name of the space, for messages."""
        return self.space.label

    @property
    def calibrated(self) -> bool:
        """Whether µm are µm, and not full-resolution pixels."""
        return self.space.calibrated

    @property
    def size_um(self) -> tuple[float, float]:
        """Extent (x, y) in µm."""
        return self.width * self.mpp[0], self.height * self.mpp[1]

    @property
    def diagonal_um(self) -> float:
        """Length of the diagonal in µm, the unit of rTRE."""
        return float(np.hypot(*self.size_um))

    @property
    def centre_um(self) -> tuple[float, float]:
        """The middle of the extent, (x, y) in µm."""
        width_um, height_um = self.size_um
        return self.origin_um[0] + width_um / 2, self.origin_um[1] + height_um / 2

    @property
    def corners_um(self) -> Points:
        """The four outer corners, (4, 2), clockwise from the top left."""
        return np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * self.size_um + self.origin_um

    @property
    def from_normalised(self) -> Matrix:
        """(3, 3): torch's `grid_sample` coordinates, −1 and 1 at the outer edges, to µm."""
        width, height = self.size_um
        x, y = self.centre_um
        return np.array([[width / 2, 0, x], [0, height / 2, y], [0, 0, 1.0]])

    @property
    def to_half_sides(self) -> Matrix:
        """(3, 3): µm to units of half the longer side, about the centre.

        In these units, unlike in those of `from_normalised`, a rotation is a rotation.
        """
        half = max(self.size_um) / 2
        x, y = self.centre_um
        return np.array([[1 / half, 0, -x / half], [0, 1 / half, -y / half], [0, 0, 1.0]])

    def at_mpp(self, mpp: float | tuple[float, float]) -> Frame:
        """Return the same extent sampled at about `mpp`.

        The number of pixels is rounded, and the pixel size then made exact. Raises `InputError` for
        a pixel size that is not positive and finite.
        """
        wanted = (mpp, mpp) if isinstance(mpp, (int, float)) else mpp
        _check_mpp(self.label, wanted)
        width_um, height_um = self.size_um
        width = max(1, round(width_um / wanted[0]))
        height = max(1, round(height_um / wanted[1]))
        return replace(self, width=width, height=height, mpp=(width_um / width, height_um / height))

    def fit(self, longest_px: int) -> Frame:
        """Return the same extent with at most `longest_px` pixels along its longer side.

        It is never finer than this frame. Raises `InputError` for less than one pixel.
        """
        if not longest_px >= 1:
            raise InputError("longest_px is too small", expected="at least 1", got=longest_px)
        factor = max(1.0, max(self.width, self.height) / longest_px)
        return self.at_mpp((self.mpp[0] * factor, self.mpp[1] * factor))

    def crop(self, x: int, y: int, width: int, height: int) -> Frame:
        """Return the `width` x `height` pixels from column `x` and row `y` on; may lie outside."""
        origin = (self.origin_um[0] + x * self.mpp[0], self.origin_um[1] + y * self.mpp[1])
        return replace(self, width=width, height=height, origin_um=origin)

    def to_um(self, points_px: Points) -> Points:
        """Convert pixel coordinates (..., 2) to µm; 0 is the corner of the first pixel.

        Raises `InputError` for another number of columns.
        """
        points = as_pairs(points_px)
        columns = (points[..., axis] * self.mpp[axis] + self.origin_um[axis] for axis in (0, 1))
        return np.stack([*columns], axis=-1)

    def count_outside(self, px: Points) -> int:
        """Return how many of the points (N, 2), in pixels of the frame, lie off it."""
        on = ((px >= 0) & (px <= (self.width, self.height))).all(axis=1)
        return int(len(px) - on.sum())

    def to_px(self, points_um: Points) -> Points:
        """Convert µm (..., 2) to pixel coordinates; 0 is the corner of the first pixel.

        Raises `InputError` for another number of columns.
        """
        points = as_pairs(points_um)
        # By columns: five times as fast as broadcasting over rows of two.
        columns = ((points[..., axis] - self.origin_um[axis]) / self.mpp[axis] for axis in (0, 1))
        return np.stack([*columns], axis=-1)

    def centres_um(self) -> Points:
        """Return the pixel centres in µm, (H·W, 2), row by row."""
        x = self.origin_um[0] + (np.arange(self.width) + 0.5) * self.mpp[0]
        y = self.origin_um[1] + (np.arange(self.height) + 0.5) * self.mpp[1]
        return np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)

    def contains(self, points_um: Points) -> npt.NDArray[np.bool_]:
        """Return which of (N, 2) points lie inside the extent, (N,)."""
        x, y = self.to_px(points_um).T
        return np.asarray((x >= 0) & (x <= self.width) & (y >= 0) & (y <= self.height))


def _check_grid(label: str, height: int, width: int, mpp: tuple[float, float]) -> None:
    if height < 1 or width < 1:
        raise InputError("a frame needs at least one pixel", where=label, got=f"{width} x {height}")
    _check_mpp(label, mpp)


def _check_mpp(label: str, mpp: object) -> None:
    sizes = np.asarray(mpp)
    if sizes.shape != (2,) or sizes.dtype.kind not in "iuf":
        raise InputError(
            "pixel size must be a pair of numbers", where=label, expected="(x, y) in µm", got=mpp
        )
    if not (np.isfinite(sizes).all() and sizes.min() > 0):
        raise InputError("pixel size must be positive", where=label, expected="µm > 0", got=mpp)
