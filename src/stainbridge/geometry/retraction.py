"""Glass around a piece of tissue, drawn towards the piece.

Far from a piece its transform leads anywhere, and so onto other tissue. Glass that is drawn into a
narrow room around the piece first stays beside the piece's counterpart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from stainbridge.geometry.frame import Frame
from stainbridge.geometry.interpolate import interpolate_linear
from stainbridge.types import Mask, Plane, Points

#: Longest side, in pixels, of the grid that a retraction is kept on.
RETRACTION_PX = 256
#: Least room around a piece, in pixels of that grid: nearer glass is not told from the piece.
LEAST_ROOM_PX = 3.0

#: Measures how far glass may reach from each of (N, 2) points of a piece, (N,) µm.
MeasureRoom = Callable[[Points], npt.NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class Retraction:
    """Draws glass towards a piece of tissue; the piece and what is near it stay.

    A point at distance d from the piece moves to f(d) along the line from its nearest place on the
    piece: f(d) = d up to half of the room R, R − R² ÷ 4d beyond. It rises smoothly towards R, so
    that nothing folds and all glass finds room.
    """

    grid: Frame
    """Where the planes are sampled."""
    planes: npt.NDArray[np.float32]
    """(3, H, W): x and y of the nearest place on the piece, and the room there, in µm."""

    def __call__(self, points_um: Points) -> Points:
        """Move (N, 2) points, µm in, µm out."""
        x, y, room = interpolate_linear(self.planes, self.grid.to_px(points_um) - 0.5)
        nearest = np.stack([x, y], axis=1)
        offset = points_um - nearest
        distance = np.hypot(*offset.T)
        is_far = distance > room / 2
        room = room[is_far]
        distance = distance[is_far]
        reach = room - room * room / (4 * distance)
        moved = points_um.copy()
        moved[is_far] = nearest[is_far] + offset[is_far] * (reach / distance)[:, None]
        return moved


def make_retraction(mask: Mask, frame: Frame, measure_room_um: MeasureRoom) -> Retraction:
    """Return the retraction towards a piece, which is where `mask` (H, W) on `frame` is True."""
    from scipy.ndimage import distance_transform_edt  # takes long to import

    grid = frame.fit(RETRACTION_PX)
    size = (grid.width, grid.height)
    # even a piece of one pixel stays
    piece = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0
    nodes = grid.centres_um()
    room: Plane = np.zeros(piece.shape, np.float32)
    room[piece] = measure_room_um(nodes[piece.ravel()])
    room = np.maximum(room, LEAST_ROOM_PX * max(grid.mpp))
    planes = np.stack([*nodes.T.reshape(2, *piece.shape), room]).astype(np.float32)
    row, column = distance_transform_edt(
        ~piece, grid.mpp[::-1], return_distances=False, return_indices=True
    )
    return Retraction(grid, np.ascontiguousarray(planes[:, row, column]))
