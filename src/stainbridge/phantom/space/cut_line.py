"""Tears and folds: tissue pulled apart, or doubled up, along a crooked cut. Exact both ways."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame, Space
from stainbridge.geometry.transform import Transform
from stainbridge.types import Points

FloatArray = npt.NDArray[np.floating]

#: Wavelengths (relative to the tear's length) and heights (relative to its width) of the cut's
#: bends.
_BENDS = ((0.9, 0.9), (0.35, 0.5), (0.13, 0.22))
#: How far beside the cut the pull reaches, in widths; more than 2 keeps the map one to one.
_REACH_WIDTHS = 6.0


@dataclass(frozen=True)
class CutLine:
    """A cut from `tip_um` in the direction `angle_rad`, which gapes `width_um` on either side after
    `length_um`.

    A `lens` gapes most in its middle and ends at `length_um`; other cuts stay open from there on.

    Raises `InputError` for lengths or widths that are not positive.
    """

    tip_um: tuple[float, float]
    angle_rad: float
    length_um: float
    width_um: float
    phase_rad: float = 0.0
    lens: bool = False

    def __post_init__(self) -> None:
        if not (self.length_um > 0 and self.width_um > 0):
            raise InputError(
                "a tear needs a length and a width", got=(self.length_um, self.width_um)
            )

    @property
    def reach_um(self) -> float:
        """How far beside the cut tissue is moved."""
        return _REACH_WIDTHS * self.width_um

    def may_move(self, points_um: Points) -> npt.NDArray[np.bool_]:
        """A quick test, (N,), that leaves out most points the tear does not reach."""
        cos, sin = np.cos(self.angle_rad), np.sin(self.angle_rad)
        dx, dy = points_um[:, 0] - self.tip_um[0], points_um[:, 1] - self.tip_um[1]
        beyond = self.reach_um + self.width_um * sum(height for _, height in _BENDS)
        return np.asarray((dx * cos + dy * sin > 0) & (np.abs(dy * cos - dx * sin) < beyond))

    def local(self, points_um: Points) -> tuple[FloatArray, FloatArray]:
        """Distance along the cut from its tip, and signed distance across it, (N,) each."""
        cos, sin = np.cos(self.angle_rad), np.sin(self.angle_rad)
        dx, dy = points_um[:, 0] - self.tip_um[0], points_um[:, 1] - self.tip_um[1]
        along = dx * cos + dy * sin
        return along, dy * cos - dx * sin - self._course(along)

    def place(self, along: FloatArray, across: FloatArray) -> Points:
        """The inverse of `local`: (N, 2) µm."""
        cos, sin = np.cos(self.angle_rad), np.sin(self.angle_rad)
        n = across + self._course(along)
        return np.stack(
            [self.tip_um[0] + along * cos - n * sin, self.tip_um[1] + along * sin + n * cos], axis=1
        )

    def half_width(self, along: FloatArray) -> FloatArray:
        """Half the gap's width in µm, (N,): nothing before the tip, then smoothly more."""
        u = np.clip(along / self.length_um, 0, 1)
        u = 1 - np.abs(2 * u - 1) if self.lens else u
        return np.asarray(self.width_um * u * u * (3 - 2 * u))

    def gap_um(self, points_um: Points) -> FloatArray:
        """Signed distance across to the gap's ragged rim, (N,), negative inside it; large before
        and behind it.
        """
        along, across = self.local(points_um)
        half = self.half_width(along)
        wave = along * 2 * np.pi + np.where(across > 0, 2.0, 0.0)
        ragged = np.sin(wave / 61) + np.sin(wave / 23 + 1.3) * 0.7 + np.sin(wave / 9.7) * 0.4
        rim = half + np.minimum(0.12 * half, 4.0) * (2.1 + ragged)  # never less than the gap itself
        return np.where(half > 0, np.abs(across) - rim, self.reach_um)

    def band_um(self, points_um: Points) -> FloatArray:
        """Signed distance across to the even rim of a fold's band, (N,), negative inside; large
        before and behind.
        """
        along, across = self.local(points_um)
        half = self.half_width(along)
        return np.where(half > 0, np.abs(across) - half, self.reach_um)

    @property
    def box_um(self) -> tuple[FloatArray, FloatArray]:
        """Lower and upper corner, (2,) µm each, of a box around the gap."""
        reach = self.width_um * (2 + sum(height for _, height in _BENDS))
        length = self.length_um if self.lens else 4 * self.length_um
        along, across = (
            np.array([0.0, length, length, 0.0]),
            np.array([-reach, -reach, reach, reach]),
        )
        cos, sin = np.cos(self.angle_rad), np.sin(self.angle_rad)
        x, y = (
            self.tip_um[0] + along * cos - across * sin,
            self.tip_um[1] + along * sin + across * cos,
        )
        corners = np.stack([x, y], axis=1)
        return corners.min(axis=0), corners.max(axis=0)

    def _course(self, along: FloatArray) -> FloatArray:
        waves = (
            height
            * self.width_um
            * np.sin(2 * np.pi * along / (length * self.length_um) + self.phase_rad * (1 + n))
            for n, (length, height) in enumerate(_BENDS)
        )
        return np.asarray(sum(waves))


@dataclass(frozen=True, eq=False)
class GapTransform(Transform):
    """The map of a cut: `opens` takes whole tissue to torn tissue; otherwise back, the gap
    collapsing onto the cut.

    A fold is the same map the other way: the tissue that lay in the gap is what is doubled up.

    Along each line across the cut, tissue at distance t moves to t + w (1 - t/R)² for t < R: one to
    one since R > 2 w.
    """

    cut: CutLine
    frame: Frame
    opens: bool

    @property
    def source(self) -> Space:
        """The slide's: tearing moves points within it."""
        return self.frame.space

    @property
    def target(self) -> Space:
        """The slide's."""
        return self.frame.space

    def __call__(self, points_um: Points) -> Points:
        """Map (N, 2) points, µm in, µm out."""
        moved = np.array(points_um, float)
        candidates = np.flatnonzero(self.cut.may_move(moved))
        if not len(candidates):
            return moved
        along, across = self.cut.local(moved[candidates])
        near = (along > 0) & (np.abs(across) < self.cut.reach_um)
        along, across = along[near], across[near]
        half, distance = self.cut.half_width(along), np.abs(across)
        pulled = self._opened(half, distance) if self.opens else self._closed(half, distance)
        moved[candidates[near]] = self.cut.place(along, np.where(across < 0, -pulled, pulled))
        return moved

    def _opened(self, half: FloatArray, distance: FloatArray) -> FloatArray:
        return np.asarray(distance + half * (1 - distance / self.cut.reach_um) ** 2)

    def _closed(self, half: FloatArray, distance: FloatArray) -> FloatArray:
        a = half / self.cut.reach_um**2
        b = 1 - 2 * half / self.cut.reach_um
        c = np.maximum(distance - half, 0)
        return np.asarray(2 * c / (b + np.sqrt(b * b + 4 * a * c)))

    def inverse(self) -> GapTransform:
        """The map the other way."""
        return GapTransform(self.cut, self.frame, not self.opens)
