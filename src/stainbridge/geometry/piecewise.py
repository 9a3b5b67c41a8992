"""One transform a piece of tissue, joined into one map of the whole slide.

Pieces lie, turn and flip on their own: a slide of two swapped cores has no single smooth map. Each
piece has its own transform, which alone holds inside the piece's region. On glass the transform of
the nearest piece holds, after a `Retraction`: glass must not land on tissue. Where two pieces are
about as near, theirs are blended smoothly, unless what lies between their counterparts is tissue.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame, Space
from stainbridge.geometry.interpolate import interpolate_linear
from stainbridge.geometry.points import as_points
from stainbridge.geometry.retraction import Retraction, make_retraction
from stainbridge.geometry.transform import Transform
from stainbridge.types import Mask, Plane, Points

#: Two pieces are blended where their distances differ by less than this share of their sum. The
#: blend leads across whatever lies between the pieces' counterparts, so it is kept narrow.
BLEND_SHARE = 0.1
#: Glass around a piece takes this share of the way from its counterpart to other tissue. The rest
#: is for transforms that stretch glass more than tissue.
ROOM_SHARE = 0.7
#: Tissue may reach this many pixels beyond a region that is drawn in pixels.
REACH_PX = 2.0


def find_inside(mask: Mask, frame: Frame, points_um: Points) -> Mask:
    """Return at which (N, 2) points a mask (H, W) on `frame` is True, (N,); False around it."""
    column, row = np.floor(frame.to_px(points_um)).astype(int).T
    on_grid = (column >= 0) & (column < frame.width) & (row >= 0) & (row < frame.height)
    inside = np.zeros(len(points_um), bool)
    inside[on_grid] = mask[row[on_grid], column[on_grid]]
    return inside


@dataclass(frozen=True, eq=False)
class PieceRegion:
    """Where a piece of tissue lies on its slide.

    Raises `InputError` for an empty mask, or one of another size than its frame.
    """

    mask: Mask
    """True on the piece, (H, W)."""
    frame: Frame
    """The grid of the mask, in the slide's space; it covers the slide."""

    def __post_init__(self) -> None:
        if self.mask.shape != (self.frame.height, self.frame.width):
            raise InputError(
                "the region does not match its frame",
                where=self.frame.label,
                expected=(self.frame.height, self.frame.width),
                got=self.mask.shape,
            )
        if not self.mask.any():
            raise InputError("a piece without tissue", where=self.frame.label)

    @property
    def area_um2(self) -> float:
        """Area of the region."""
        return float(self.mask.sum()) * self.frame.mpp[0] * self.frame.mpp[1]

    @property
    def box_um(self) -> tuple[Points, Points]:
        """The lower and the upper corner of the box around the region, (2,) each."""
        rows, columns = (np.flatnonzero(self.mask.any(axis)) for axis in (1, 0))
        low = self.frame.to_um(np.array([columns[0], rows[0]]))
        high = self.frame.to_um(np.array([columns[-1] + 1, rows[-1] + 1]))
        return low, high

    @property
    def diagonal_um(self) -> float:
        """Diagonal of the box around the region."""
        low, high = self.box_um
        return float(np.hypot(*(high - low)))

    @property
    def points_um(self) -> Points:
        """The centres of the region's pixels, (N, 2)."""
        return self.frame.centres_um()[self.mask.ravel()]

    def contains(self, points_um: Points) -> Mask:
        """Return which of (N, 2) points lie in the region, (N,)."""
        return find_inside(self.mask, self.frame, points_um)

    @cached_property
    def _distance_um(self) -> Plane:
        """Distance of each pixel from the region, 0 inside, (H, W)."""
        from scipy.ndimage import distance_transform_edt  # takes long to import

        return np.asarray(distance_transform_edt(~self.mask, self.frame.mpp[::-1]))

    def measure_distance_um(self, points_um: Points) -> npt.NDArray[np.float64]:
        """Return how far (N, 2) points are from the region, (N,); 0 inside it.

        Off the mask's grid it is the way by the grid's border.
        """
        low = np.array(self.frame.origin_um)
        beyond = points_um - np.clip(points_um, low, low + self.frame.size_um)
        positions_px = self.frame.to_px(points_um) - 0.5
        (distance,) = interpolate_linear(self._distance_um[None], positions_px)
        return np.asarray(distance + np.hypot(*beyond.T))

    def __getstate__(self) -> dict[str, Any]:
        """Return the fields; distances are measured again."""
        return {"mask": self.mask, "frame": self.frame}


@dataclass(frozen=True, eq=False)
class TransformedPiece:
    """A piece of tissue, its counterpart, and the transform between them.

    Raises `InputError` where the transform does not lead from one region's space to the other's.
    """

    transform: Transform
    """From the source's piece to the target's."""
    source_region: PieceRegion
    """Where the piece lies on the source slide."""
    target_region: PieceRegion
    """Where its counterpart lies on the target slide."""

    def __post_init__(self) -> None:
        spaces = self.source_region.frame.space, self.target_region.frame.space
        if (self.transform.source, self.transform.target) != spaces:
            raise InputError(
                "the piece's transform does not lead from its region to its counterpart",
                expected=" to ".join(space.label for space in spaces),
                got=repr(self.transform),
            )

    def inverse(self) -> TransformedPiece:
        """Return the counterpart with the way back."""
        return TransformedPiece(self.transform.inverse(), self.target_region, self.source_region)


@dataclass(frozen=True, eq=False, repr=False)
class Piecewise(Transform):
    """One transform a piece, each exact in its piece's region.

    On glass the nearest piece's transform holds, smoothly blended half-way between two pieces. All
    glass lands beside the counterpart of that piece, and never on other tissue. The inverse is made
    of the pieces' inverses, with their regions on the target slide. So a point of a piece comes
    back to where it was; a point of glass need not.

    Raises `InputError` without pieces, or with pieces between different slides.
    """

    pieces: tuple[TransformedPiece, ...]
    """The pieces, the largest first."""
    source_alone: PieceRegion | None = None
    """Tissue of the source slide without a counterpart; None where there is none."""
    target_alone: PieceRegion | None = None
    """Tissue of the target slide without a counterpart; no glass may land there."""

    def __post_init__(self) -> None:
        if not self.pieces:
            raise InputError("a piecewise transform needs at least one piece")
        spaces = {(piece.transform.source, piece.transform.target) for piece in self.pieces}
        if len(spaces) > 1:
            raise InputError("the pieces lie on different slides", got=len(spaces))

    @property
    def source(self) -> Space:
        """The space whose points go in."""
        return self.pieces[0].transform.source

    @property
    def target(self) -> Space:
        """The space whose points come out."""
        return self.pieces[0].transform.target

    def __call__(self, points_um: Points) -> Points:
        """Map (N, 2) points, µm in, µm out."""
        points = as_points(points_um)
        weights = self.weigh_pieces(points)
        mapped = np.zeros(points.shape)
        for number, weight in enumerate(weights):
            used = weight > 0
            if used.any():
                mapped[used] += weight[used, None] * self._map_near(number, points[used])
        blended = np.flatnonzero((weights > 0).sum(axis=0) > 1)
        astray = blended[self._is_near_tissue(mapped[blended])]
        nearest = weights[:, astray].argmax(axis=0)
        for number in np.unique(nearest).tolist():
            chosen = astray[nearest == number]
            mapped[chosen] = self._map_near(number, points[chosen])
        return mapped

    def weigh_pieces(self, points_um: Points) -> npt.NDArray[np.float64]:
        """Return each piece's share in the map of (N, 2) points, (K, N); they sum to 1."""
        distance = np.stack(
            [piece.source_region.measure_distance_um(points_um) for piece in self.pieces]
        )
        nearest = distance.min(axis=0)
        band = BLEND_SHARE * (distance + nearest)
        share = 1 - (distance - nearest) / np.maximum(band, np.finfo(float).tiny)
        share = np.clip(share, 0, 1)
        weight = share * share * (3 - 2 * share)
        return np.asarray(weight / weight.sum(axis=0))

    def _map_near(self, number: int, points_um: Points) -> Points:
        """Map (N, 2) points of a piece and of the glass around it."""
        retraction = self._retractions[number]
        near = points_um if retraction is None else retraction(points_um)
        return self.pieces[number].transform(near)

    @cached_property
    def _retractions(self) -> tuple[Retraction | None, ...]:
        """What keeps the glass around each piece off other tissue; None without other tissue."""
        return tuple(map(self._make_retraction, self.pieces))

    def _make_retraction(self, piece: TransformedPiece) -> Retraction | None:
        others = [region for region in self._target_tissue if region is not piece.target_region]
        if not others:
            return None

        def measure_room_um(points_um: Points) -> npt.NDArray[np.float64]:
            landed = piece.transform(points_um)
            clearance = np.min([region.measure_distance_um(landed) for region in others], axis=0)
            stretch = measure_stretch(piece.transform, points_um, region.frame.mpp)
            return np.asarray(ROOM_SHARE * clearance / stretch)

        region = piece.source_region
        return make_retraction(region.mask, region.frame, measure_room_um)

    @cached_property
    def _target_tissue(self) -> tuple[PieceRegion, ...]:
        """All tissue of the target slide; two pieces may share their counterpart."""
        regions = {id(piece.target_region): piece.target_region for piece in self.pieces}
        alone = () if self.target_alone is None else (self.target_alone,)
        return (*regions.values(), *alone)

    def _is_near_tissue(self, points_um: Points) -> Mask:
        """Return which of (N, 2) points of the target slide lie on tissue or close to it, (N,)."""
        near = np.zeros(len(points_um), bool)
        for region in self._target_tissue:
            reach_um = REACH_PX * max(region.frame.mpp)
            near |= region.measure_distance_um(points_um) < reach_um
        return near

    def __getstate__(self) -> dict[str, Any]:
        """Return the fields; retractions are made again."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def _describe(self) -> str:
        return f"{len(self.pieces)} pieces"

    def inverse(self) -> Piecewise:
        """Return the pieces' inverses, with their regions on the target slide."""
        pieces = tuple(piece.inverse() for piece in self.pieces)
        return Piecewise(pieces, self.target_alone, self.source_alone)


def measure_stretch(transform: Transform, points_um: Points, step_um: tuple[float, float]) -> float:
    """Return µm out per µm in, the median over (N, 2) points, from steps along x and y."""
    here = transform(points_um)
    squares = [
        np.square(transform(points_um + step) - here).sum(axis=1) / np.square(step).sum()
        for step in np.diag(step_um)
    ]
    return float(np.median(np.sqrt(np.mean(squares, axis=0))))
