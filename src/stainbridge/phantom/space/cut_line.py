"""Crooked cuts through a section, and the exact maps that open or close a gap along them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame, Space
from stainbridge.geometry.transform import Transform
from stainbridge.phantom.space.crop import BoxUm, FloatArray
from stainbridge.types import Points

#: Sine waves that make a cut crooked: wavelength in cut lengths, and amplitude in gap half widths.
_WAVES = ((0.9, 0.9), (0.35, 0.5), (0.13, 0.22))
#: Largest distance, in gap half widths, between a cut and its straight line.
_MAX_DEVIATION = sum(amplitude for _, amplitude in _WAVES)
#: How far beside a cut tissue is moved, in gap half widths; above 2 the map is one to one.
_REACH_WIDTHS = 6.0


@dataclass(frozen=True)
class CutLine:
    """A crooked line along which tissue is torn apart or folded over itself.

    Points are also given as distance along the line from its tip and signed distance across it.

    Raises `InputError` for lengths or widths that are not positive.
    """

    tip_um: tuple[float, float]
    """The end where the gap begins, (x, y)."""
    angle_rad: float
    """Direction from the tip."""
    length_um: float
    """Distance over which the gap opens."""
    width_um: float
    """Largest half width of the gap."""
    phase_rad: float = 0.0
    """Phase of the waves that make the line crooked."""
    lens: bool = False
    """Whether the gap is widest in the middle and closes at `length_um`; others stay open there."""

    def __post_init__(self) -> None:
        if not (self.length_um > 0 and self.width_um > 0):
            raise InputError(
                "a tear needs a length and a width", got=(self.length_um, self.width_um)
            )

    @property
    def reach_um(self) -> float:
        """Distance beside the line up to which tissue is moved."""
        return _REACH_WIDTHS * self.width_um

    def find_near(self, points_um: Points) -> npt.NDArray[np.bool_]:
        """Return which points, (N,), may be moved; a quick test that excludes most others."""
        along, across = self._to_straight_line(points_um)
        return np.asarray(
            (along > 0) & (np.abs(across) < self.reach_um + self.width_um * _MAX_DEVIATION)
        )

    def to_line(self, points_um: Points) -> tuple[FloatArray, FloatArray]:
        """Return the distances along and across the line, (N,) each, of points (N, 2)."""
        along, across = self._to_straight_line(points_um)
        return along, across - self._deviation_um(along)

    def from_line(self, along: FloatArray, across: FloatArray) -> Points:
        """Return the points, (N, 2), at distances along and across the line."""
        return self._from_straight_line(along, across + self._deviation_um(along))

    def half_width_um(self, along: FloatArray) -> FloatArray:
        """Return half the gap's width, (N,): zero before the tip, then smoothly more."""
        u = np.clip(along / self.length_um, 0, 1)
        u = 1 - np.abs(2 * u - 1) if self.lens else u
        return np.asarray(self.width_um * u * u * (3 - 2 * u))

    def gap_distance_um(self, points_um: Points) -> FloatArray:
        """Return signed distances, (N,), to a tear's ragged rim, negative inside the gap.

        They are measured across the line, and large before and behind it.
        """
        along, across = self.to_line(points_um)
        half = self.half_width_um(along)
        wave = along * 2 * np.pi + np.where(across > 0, 2.0, 0.0)
        ragged = np.sin(wave / 61) + np.sin(wave / 23 + 1.3) * 0.7 + np.sin(wave / 9.7) * 0.4
        rim = half + np.minimum(0.12 * half, 4.0) * (2.1 + ragged)  # never less than the gap itself
        return np.where(half > 0, np.abs(across) - rim, self.reach_um)

    def fold_distance_um(self, points_um: Points) -> FloatArray:
        """Return signed distances, (N,), to a fold's even rim, negative where tissue is doubled.

        They are measured across the line, and large before and behind it.
        """
        along, across = self.to_line(points_um)
        half = self.half_width_um(along)
        return np.where(half > 0, np.abs(across) - half, self.reach_um)

    @property
    def box_um(self) -> BoxUm:
        """A box around the gap."""
        reach = self.width_um * (2 + _MAX_DEVIATION)
        length = self.length_um if self.lens else 4 * self.length_um
        along = np.array([0.0, length, length, 0.0])
        across = np.array([-reach, -reach, reach, reach])
        corners = self._from_straight_line(along, across)
        return corners.min(axis=0), corners.max(axis=0)

    def _to_straight_line(self, points_um: Points) -> tuple[FloatArray, FloatArray]:
        cos, sin = self._direction
        dx = points_um[:, 0] - self.tip_um[0]
        dy = points_um[:, 1] - self.tip_um[1]
        return dx * cos + dy * sin, dy * cos - dx * sin

    def _from_straight_line(self, along: FloatArray, across: FloatArray) -> Points:
        cos, sin = self._direction
        x = self.tip_um[0] + along * cos - across * sin
        y = self.tip_um[1] + along * sin + across * cos
        return np.stack([x, y], axis=1)

    @property
    def _direction(self) -> tuple[np.float64, np.float64]:
        return np.cos(self.angle_rad), np.sin(self.angle_rad)

    def _deviation_um(self, along: FloatArray) -> FloatArray:
        """Return the distance of the crooked line from the straight one, (N,)."""
        waves = (
            amplitude
            * self.width_um
            * np.sin(2 * np.pi * along / (length * self.length_um) + self.phase_rad * (1 + n))
            for n, (length, amplitude) in enumerate(_WAVES)
        )
        return np.asarray(sum(waves))


@dataclass(frozen=True, eq=False)
class GapTransform(Transform):
    """The map that opens a gap along a cut, from whole to torn tissue, or closes it again.

    Closing collapses the gap onto the cut. A fold is the same map the other way round: the tissue
    that lay in the gap is what is doubled up.

    Along each line across the cut, tissue at distance t moves to t + w (1 - t/R)² for t < R, with
    the gap's half width w and the reach R. That is one to one since R > 2 w.
    """

    cut: CutLine
    """The cut."""
    frame: Frame
    """The slide whose points are moved."""
    opens: bool
    """Whether the gap is opened; else it is closed."""

    @property
    def source(self) -> Space:
        """The space of the slide, within which points are moved."""
        return self.frame.space

    @property
    def target(self) -> Space:
        """The space of the slide."""
        return self.frame.space

    def __call__(self, points_um: Points) -> Points:
        """Map (N, 2) points, µm in, µm out."""
        moved = np.array(points_um, float)
        candidates = np.flatnonzero(self.cut.find_near(moved))
        if not len(candidates):
            return moved
        along, across = self.cut.to_line(moved[candidates])
        within = (along > 0) & (np.abs(across) < self.cut.reach_um)
        along = along[within]
        across = across[within]
        half = self.cut.half_width_um(along)
        distance = np.abs(across)
        pulled = self._open(half, distance) if self.opens else self._close(half, distance)
        signed = np.where(across < 0, -pulled, pulled)
        moved[candidates[within]] = self.cut.from_line(along, signed)
        return moved

    def _open(self, half: FloatArray, distance: FloatArray) -> FloatArray:
        return np.asarray(distance + half * (1 - distance / self.cut.reach_um) ** 2)

    def _close(self, half: FloatArray, distance: FloatArray) -> FloatArray:
        """Solve the quadratic equation of `_open` for the distance before it."""
        a = half / self.cut.reach_um**2
        b = 1 - 2 * half / self.cut.reach_um
        c = np.maximum(distance - half, 0)
        return np.asarray(2 * c / (b + np.sqrt(b * b + 4 * a * c)))

    def inverse(self) -> GapTransform:
        """Return the map the other way."""
        return GapTransform(self.cut, self.frame, not self.opens)
