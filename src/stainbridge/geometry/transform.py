"""Transforms of points between the physical spaces of two slides.

A transform takes (N, 2) points in µm of its `source` to µm of its `target`. A registration's
transform is `moving_from_fixed`: it takes fixed points to moving points, which is what warping the
moving slide pulls with.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame, Space
from stainbridge.geometry.interpolate import interpolate_linear
from stainbridge.geometry.points import as_points
from stainbridge.types import Field, Matrix, Points

#: A point of an inverse field is solved when it misses its target by less, in pixels of the grid.
INVERSION_TOLERANCE_PX = 1e-4
#: Newton steps are taken where the Jacobian's determinant is larger; 0 is a fold.
LEAST_STEADY_DETERMINANT = 0.2


class Transform(ABC):
    """A map of the plane from one physical space to another.

    Example:
        >>> transform = stainbridge.generate_pair(seed=3, size_px=256, mpp=4.0).truth
        >>> isinstance(transform, stainbridge.Transform)
        True
        >>> points_um = np.array([[400.0, 300.0], [512.0, 640.0]])
        >>> back = transform.then(transform.inverse())
        >>> bool(np.allclose(back(points_um), points_um, atol=0.01))
        True

    """

    # At run time a property here would keep dataclass fields from taking its place.
    if TYPE_CHECKING:

        @property
        def source(self) -> Space:
            """The space whose points go in."""

        @property
        def target(self) -> Space:
            """The space whose points come out."""

    @abstractmethod
    def __call__(self, points_um: Points) -> Points:
        """Map (N, 2) points, µm in, µm out; raises `InputError` for another shape."""

    def __repr__(self) -> str:
        """Return one line: class, source, target and what else there is to say."""
        facts = self._describe()
        name = f"{type(self).__name__} {self.source.label!r} to {self.target.label!r}"
        return f"<{name}: {facts}>" if facts else f"<{name}>"

    def _describe(self) -> str:
        """Return facts for `repr`."""
        return ""

    @abstractmethod
    def inverse(self) -> Transform:
        """Return the transform back, from `target` to `source`."""

    def then(self, after: Transform) -> Transform:
        """Return this transform followed by `after`.

        Raises `InputError` unless `after.source` is this transform's `target`.
        """
        return Chain((*split_chain(self), *split_chain(after)))

    def to_field(self, grid: Frame) -> DisplacementField:
        """Sample as displacements on the pixel centres of `grid`, a frame in the source space."""
        centres = grid.centres_um()
        moved = (self(centres) - centres).T.reshape(2, grid.height, grid.width)
        return DisplacementField(moved.astype(np.float32), grid, self.source, self.target)


def split_chain(transform: Transform) -> tuple[Transform, ...]:
    """Return the elementary transforms in the order they are applied to points."""
    return transform.members if isinstance(transform, Chain) else (transform,)


def _as_array(values: Any, name: str) -> npt.NDArray[Any]:
    """Return an array as it is, and nested lists of numbers as an array of float64."""
    if isinstance(values, np.ndarray):
        return values
    try:
        return np.asarray(values, float)
    except (TypeError, ValueError) as error:
        raise InputError("not an array of numbers", where=name, got=error) from error


@dataclass(frozen=True, eq=False, repr=False)
class Projective(Transform):
    """A homography.

    Raises `InputError` for a matrix that is not 3 x 3, not finite or singular.
    """

    matrix: Matrix
    """(3, 3), acting on homogeneous columns (x, y, 1) in µm."""
    source: Space
    """The space whose points go in."""
    target: Space
    """The space whose points come out."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "matrix", _as_array(self.matrix, "matrix"))
        if np.shape(self.matrix) != (3, 3) or not np.all(np.isfinite(self.matrix)):
            raise InputError("matrix must be finite and 3 x 3", got=np.shape(self.matrix))
        if abs(np.linalg.det(self.matrix[:2, :2])) < 1e-12:
            raise InputError(
                "matrix has no inverse", expected="a non-zero determinant", got=self.matrix.tolist()
            )

    def __call__(self, points_um: Points) -> Points:
        """Map (N, 2) points, µm in, µm out."""
        x = as_points(points_um) @ self.matrix[:, :2].T + self.matrix[:, 2]
        return np.asarray(x[:, :2] / x[:, 2:])

    def inverse(self) -> Projective:
        """Return the inverse homography."""
        return type(self)(np.asarray(np.linalg.inv(self.matrix), float), self.target, self.source)


@dataclass(frozen=True, eq=False, repr=False)
class Affine(Projective):
    """An affine map; the last row of `matrix` is (0, 0, 1).

    Raises `InputError` for a matrix that is not 3 x 3, not finite, singular or not affine.

    Example:
        >>> he = stainbridge.Space("he", height=600, width=800, mpp=(0.5, 0.5))
        >>> ki67 = stainbridge.Space("ki67", height=600, width=800, mpp=(0.5, 0.5))
        >>> matrix = np.array([[0.0, -1.0, 300.0], [1.0, 0.0, 20.0], [0.0, 0.0, 1.0]])
        >>> quarter_turn = stainbridge.Affine(matrix, he, ki67)
        >>> quarter_turn
        <Affine 'he' to 'ki67': rotation 90.0°, scale 1.000>
        >>> quarter_turn(np.array([[100.0, 50.0]]))
        array([[250., 120.]])

    """

    def __post_init__(self) -> None:
        super().__post_init__()
        if not np.allclose(self.matrix[2], (0, 0, 1)):
            raise InputError("an affine matrix ends in 0 0 1", got=self.matrix[2].tolist())

    def __call__(self, points_um: Points) -> Points:
        """Map (N, 2) points, µm in, µm out."""
        points = as_points(points_um)
        # By columns: ten times as fast as a product of such narrow matrices.
        x = points[:, 0]
        y = points[:, 1]
        return np.stack([a * x + b * y + c for a, b, c in self.matrix[:2].tolist()], axis=1)

    def _describe(self) -> str:
        mirrored = ", mirrored" if self.flip else ""
        return f"rotation {self.rotation_deg:.1f}°, scale {self.scale:.3f}{mirrored}"

    @property
    def scale(self) -> float:
        """Square root of the area factor."""
        return float(np.sqrt(abs(np.linalg.det(self.matrix[:2, :2]))))

    @property
    def flip(self) -> bool:
        """Whether orientation is reversed."""
        return bool(np.linalg.det(self.matrix[:2, :2]) < 0)

    @property
    def rotation_deg(self) -> float:
        """Angle of the nearest rotation in degrees, (-180, 180]; with `flip`, after mirroring x."""
        linear = self.matrix[:2, :2] @ np.diag([-1.0 if self.flip else 1.0, 1.0])
        return float(
            np.degrees(np.arctan2(linear[1, 0] - linear[0, 1], linear[0, 0] + linear[1, 1]))
        )


@dataclass(frozen=True, eq=False, repr=False)
class DisplacementField(Transform):
    """x ↦ x + u(x) with u sampled on a grid.

    u is linearly interpolated between the pixel centres of `grid` and constant outside it. Raises
    `InputError` when the shape of `displacement` is not that of `grid` or a value is not finite.

    Example:
        >>> he = stainbridge.Space("he", height=600, width=800, mpp=(0.5, 0.5))
        >>> ki67 = stainbridge.Space("ki67", height=600, width=800, mpp=(0.5, 0.5))
        >>> grid = he.frame.fit(80)
        >>> shift_um = np.zeros((2, grid.height, grid.width), np.float32)
        >>> shift_um[0] = 12.5
        >>> field = stainbridge.DisplacementField(shift_um, grid, he, ki67)
        >>> field(np.array([[100.0, 50.0]]))
        array([[112.5,  50. ]])

    """

    displacement: Field
    """u in µm, (2, H, W) float32, channels dx, dy."""
    grid: Frame
    """Where the samples lie, in the space of `source`."""
    source: Space
    """The space whose points go in."""
    target: Space
    """The space whose points come out."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "displacement", _as_array(self.displacement, "displacement"))
        expected = (2, self.grid.height, self.grid.width)
        if self.displacement.shape != expected:
            raise InputError(
                "displacement has the wrong shape", expected=expected, got=self.displacement.shape
            )
        if not np.isfinite(self.displacement).all():
            raise InputError("displacement has values that are not finite", where=self.grid.label)

    def __call__(self, points_um: Points) -> Points:
        """Map (N, 2) points, µm in, µm out."""
        points = as_points(points_um)
        return points + self.at(points)

    def _describe(self) -> str:
        return f"{self.grid.width} x {self.grid.height} grid"

    def at(self, points_um: Points) -> Points:
        """Interpolate the displacements, (N, 2) in µm, at (N, 2) points."""
        return interpolate_linear(self.displacement, self.grid.to_px(points_um) - 0.5).T

    def inverse(self) -> InverseField:
        """Return the inverse map, which is solved point by point."""
        return InverseField(self)


@dataclass(frozen=True, eq=False, repr=False)
class InverseField(Transform):
    """The inverse of a displacement field: y ↦ the x with x + u(x) = y.

    It is found by a fixed-point iteration, Chen et al. 2008, "A simple fixed-point approach to
    invert a deformation field", doi:10.1118/1.2816107. Newton steps with the local Jacobian make
    it converge in a few iterations where u is steep.
    """

    field: DisplacementField
    """The map that is inverted."""
    iterations: int = 25
    """Steps at most, for each point."""

    @property
    def source(self) -> Space:
        """The space the field maps to."""
        return self.field.target

    @property
    def target(self) -> Space:
        """The space the field maps from."""
        return self.field.source

    @cached_property
    def _jacobian(self) -> tuple[DisplacementField, DisplacementField]:
        """Sample ∂u/∂x and ∂u/∂y as fields on the same grid."""
        from stainbridge.geometry.field import gradient

        du_dx, du_dy = gradient(self.field.displacement, self.field.grid.mpp)
        return replace(self.field, displacement=du_dx), replace(self.field, displacement=du_dy)

    def __call__(self, points_um: Points) -> Points:
        """Map (N, 2) points, µm in, µm out."""
        target = as_points(points_um)
        tolerance_um = INVERSION_TOLERANCE_PX * min(self.field.grid.mpp)
        solution = target - self.field.at(target)
        active = np.arange(len(solution))
        for _ in range(self.iterations):
            estimate = solution[active]
            residual = estimate + self.field.at(estimate) - target[active]
            unsolved = np.abs(residual).max(axis=1) > tolerance_um
            active = active[unsolved]
            if not len(active):
                break
            estimate = estimate[unsolved]
            solution[active] = estimate - self._newton_step(estimate, residual[unsolved])
        return solution

    def _newton_step(self, estimate: Points, residual: Points) -> Points:
        du_dx, du_dy = (field.at(estimate) for field in self._jacobian)
        a = 1 + du_dx[:, 0]
        b = du_dy[:, 0]
        c = du_dx[:, 1]
        d = 1 + du_dy[:, 1]
        det = a * d - b * c
        newton = np.stack(
            [d * residual[:, 0] - b * residual[:, 1], a * residual[:, 1] - c * residual[:, 0]],
            axis=1,
        )
        # Near a fold the Newton step overshoots; the fixed-point step does not.
        steady = det > LEAST_STEADY_DETERMINANT
        return np.where(steady[:, None], newton / np.where(steady, det, 1.0)[:, None], residual)

    def inverse(self) -> DisplacementField:
        """Return the field itself."""
        return self.field


@dataclass(frozen=True, eq=False, repr=False)
class Chain(Transform):
    """Transforms applied one after the other.

    Raises `InputError` when empty or when the spaces of neighbours do not meet.
    """

    members: tuple[Transform, ...]
    """The transforms, the one that is applied first at the front."""

    def __post_init__(self) -> None:
        if not self.members:
            raise InputError("a chain needs at least one transform")
        for before, after in zip(self.members, self.members[1:], strict=False):
            if before.target != after.source:
                raise InputError(
                    "transforms do not meet",
                    expected=f"one from '{before.target.label}'",
                    got=after.source.label,
                )

    @property
    def source(self) -> Space:
        """The space whose points go in."""
        return self.members[0].source

    @property
    def target(self) -> Space:
        """The space whose points come out."""
        return self.members[-1].target

    def __call__(self, points_um: Points) -> Points:
        """Map (N, 2) points, µm in, µm out."""
        for member in self.members:
            points_um = member(points_um)
        return points_um

    def _describe(self) -> str:
        return ", ".join(type(member).__name__ for member in self.members)

    def inverse(self) -> Chain:
        """Return the members' inverses in reverse order."""
        return Chain(tuple(member.inverse() for member in reversed(self.members)))
