"""Transforms of points between the physical spaces of two slides.

A transform takes (N, 2) points in µm of its `source` to µm of its `target`. A registration's
transform is `moving_from_fixed`: it takes fixed points to moving points, which is what warping the
moving slide pulls with.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import map_coordinates

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame, Space
from stainbridge.types import Field, Matrix, Points


class Transform(ABC):
    """A map of the plane from one physical space to another."""

    if (
        TYPE_CHECKING
    ):  # at run time a property here would keep dataclass fields from taking its place

        @property
        def source(self) -> Space:
            """The frame whose points go in."""

        @property
        def target(self) -> Space:
            """The frame whose points come out."""

    @abstractmethod
    def __call__(self, points_um: Points) -> Points:
        """Map (N, 2) points, µm in, µm out."""

    @abstractmethod
    def inverse(self) -> Transform:
        """The transform back, from `target` to `source`."""

    def then(self, after: Transform) -> Transform:
        """This transform followed by `after`, whose points must live where this one's come out."""
        return Chain((*parts(self), *parts(after)))

    def to_field(self, grid: Frame) -> DisplacementField:
        """Sample as displacements on the pixel centres of `grid`, a frame in the space of
        `source`.
        """
        centres = grid.centres_um()
        moved = (self(centres) - centres).T.reshape(2, grid.height, grid.width)
        return DisplacementField(moved.astype(np.float32), grid, self.source, self.target)


def parts(transform: Transform) -> tuple[Transform, ...]:
    """The elementary transforms in the order they are applied to points."""
    return transform.members if isinstance(transform, Chain) else (transform,)


@dataclass(frozen=True, eq=False)
class Projective(Transform):
    """A homography: `matrix` is (3, 3), acting on homogeneous (x, y, 1) columns in µm.

    Raises `InputError` for a matrix that is not 3 x 3, not finite or singular.
    """

    matrix: Matrix
    source: Space
    target: Space

    def __post_init__(self) -> None:
        if np.shape(self.matrix) != (3, 3) or not np.all(np.isfinite(self.matrix)):
            raise InputError("matrix must be finite and 3 x 3", got=np.shape(self.matrix))
        if abs(np.linalg.det(self.matrix[:2, :2])) < 1e-12:
            raise InputError(
                "matrix has no inverse", expected="a non-zero determinant", got=self.matrix.tolist()
            )

    def __call__(self, points_um: Points) -> Points:
        """Map (N, 2) points, µm in, µm out."""
        x = np.asarray(points_um, float) @ self.matrix[:, :2].T + self.matrix[:, 2]
        return np.asarray(x[:, :2] / x[:, 2:])

    def inverse(self) -> Projective:
        """The inverse homography."""
        return type(self)(np.asarray(np.linalg.inv(self.matrix), float), self.target, self.source)


@dataclass(frozen=True, eq=False)
class Affine(Projective):
    """An affine map; the last row of `matrix` is (0, 0, 1)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not np.allclose(self.matrix[2], (0, 0, 1)):
            raise InputError("an affine matrix ends in 0 0 1", got=self.matrix[2].tolist())

    def __call__(self, points_um: Points) -> Points:
        """Map (N, 2) points, µm in, µm out."""
        points = np.asarray(points_um, float)
        x, y = (
            points[:, 0],
            points[:, 1],
        )  # by columns: ten times as fast as a product of such narrow matrices
        return np.stack([a * x + b * y + c for a, b, c in self.matrix[:2].tolist()], axis=1)

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


@dataclass(frozen=True, eq=False)
class DisplacementField(Transform):
    """x ↦ x + u(x), with u linearly interpolated between pixel centres of `grid` and held constant
    outside it.

    `displacement` is (2, H, W) float32 in µm, channels dx, dy. Raises `InputError` when its shape
    is not that of `grid` or it has values that are not finite.
    """

    displacement: Field
    grid: Frame
    source: Space
    target: Space

    def __post_init__(self) -> None:
        expected = (2, self.grid.height, self.grid.width)
        if self.displacement.shape != expected:
            raise InputError(
                "displacement has the wrong shape", expected=expected, got=self.displacement.shape
            )
        if not np.isfinite(self.displacement).all():
            raise InputError("displacement has values that are not finite", where=self.grid.label)

    def __call__(self, points_um: Points) -> Points:
        """Map (N, 2) points, µm in, µm out."""
        points = np.asarray(points_um, float)
        return points + self.at(points)

    def at(self, points_um: Points) -> Points:
        """Displacements at (N, 2) points, in µm."""
        index = (self.grid.to_px(points_um) - 0.5).T[::-1]
        return np.stack(
            [
                map_coordinates(u, index, np.float64, order=1, mode="nearest")
                for u in self.displacement
            ],
            axis=1,
        )

    def inverse(self) -> InverseField:
        """The inverse map, solved point by point."""
        return InverseField(self)


@dataclass(frozen=True, eq=False)
class InverseField(Transform):
    """The inverse of a displacement field: y ↦ the x with x + u(x) = y, by damped fixed-point
    iteration.

    Chen et al. 2008, "A simple fixed-point approach to invert a deformation field",
    doi:10.1118/1.2816107; a Newton step with the local Jacobian is used so that it converges in a
    few iterations where u is steep.
    """

    field: DisplacementField
    iterations: int = 25

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
        """D u/dx and d u/dy as fields on the same grid."""
        from stainbridge.geometry.field import gradient

        du_dx, du_dy = gradient(self.field.displacement, self.field.grid.mpp)
        of = (self.field.grid, self.field.source, self.field.target)
        return DisplacementField(du_dx, *of), DisplacementField(du_dy, *of)

    def __call__(self, points_um: Points) -> Points:
        """Map (N, 2) points, µm in, µm out."""
        target = np.asarray(points_um, float)
        tolerance = 1e-4 * min(self.field.grid.mpp)
        x = target - self.field.at(target)
        active = np.arange(len(x))
        for _ in range(self.iterations):
            here = x[active]
            residual = here + self.field.at(here) - target[active]
            far = np.abs(residual).max(axis=1) > tolerance
            active, here, residual = active[far], here[far], residual[far]
            if not len(active):
                break
            x[active] = here - self._newton_step(here, residual)
        return x

    def _newton_step(self, here: Points, residual: Points) -> Points:
        du_dx, du_dy = (field.at(here) for field in self._jacobian)
        a, c, b, d = 1 + du_dx[:, 0], du_dx[:, 1], du_dy[:, 0], 1 + du_dy[:, 1]
        det = a * d - b * c
        newton = np.stack(
            [d * residual[:, 0] - b * residual[:, 1], a * residual[:, 1] - c * residual[:, 0]],
            axis=1,
        )
        steady = det > 0.2  # near a fold the Newton step overshoots; the fixed-point step does not
        return np.where(steady[:, None], newton / np.where(steady, det, 1.0)[:, None], residual)

    def inverse(self) -> DisplacementField:
        """The field itself."""
        return self.field


@dataclass(frozen=True, eq=False)
class Chain(Transform):
    """Transforms applied one after the other, first member first.

    Raises `InputError` when empty or when the spaces of neighbours do not meet.
    """

    members: tuple[Transform, ...]

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
        """The frame whose points go in."""
        return self.members[0].source

    @property
    def target(self) -> Space:
        """The frame whose points come out."""
        return self.members[-1].target

    def __call__(self, points_um: Points) -> Points:
        """Map (N, 2) points, µm in, µm out."""
        for member in self.members:
            points_um = member(points_um)
        return points_um

    def inverse(self) -> Chain:
        """The members' inverses in reverse order."""
        return Chain(tuple(member.inverse() for member in reversed(self.members)))
