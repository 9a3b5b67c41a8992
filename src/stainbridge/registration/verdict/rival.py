"""The second best: whether the tissue fits about as well in another place, turned or mirrored.

Stripes, like cores, an outline that is its own mirror image, tissue that lies twice on one slide:
several placements are equally good there, and nothing tells which is right. The sections are
compared at every shift. They are also turned by right angles and mirrored about the axes of the
fixed outline: every symmetry of an outline is one of these.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stainbridge.geometry.frame import Frame
from stainbridge.geometry.transform import Affine
from stainbridge.registration.sections.section import Section
from stainbridge.registration.verdict.verification import (
    IDENTITY,
    Matrices,
    sample_coordinates,
    warp_planes,
)
from stainbridge.similarity.lncc import normalise_locally

#: Longest side in pixels of the fixed section's frame.
SIZE_PX = 80
#: Radius in pixels of the windows that grey values are normalised in.
RADIUS_PX = 5
#: Shifts up to this many pixels are the placement's own place.
OWN_PLACE_PX = 2.5
#: Least share of the smaller section on the other, to be compared.
MIN_OVERLAP = 0.6
#: What is measured at most: nothing supports the placement.
MOST_RIVAL = 10.0


def measure_rival(fixed: Section, moving: Section, affine: Affine) -> float:
    """Return the similarity at the best other place ÷ that at the placement's own.

    It is about 1 where another place fits as well, and `MOST_RIVAL` where the placement's own
    similarity is not positive. Of right registrations it is mostly below 0.6.
    """
    frame, planes, outline = fixed.planes_at(SIZE_PX)
    target = _Chart(normalise_locally(planes, RADIUS_PX), (outline > 0.5).float())
    wide, offset = _extend_frame(frame, moving, affine)
    scores = target.compare(_Chart.draw(moving, affine, wide, IDENTITY))
    distance = _measure_shifts(scores, wide, offset)
    own = float(scores[0][distance <= OWN_PLACE_PX].max())
    if own <= 0:
        return MOST_RIVAL
    is_peak = scores[0] >= F.max_pool2d(scores, 3, 1, 1)[0]
    shifted = scores[0][is_peak & (distance > OWN_PLACE_PX)]
    turned = target.compare(_Chart.draw(moving, affine, frame, _list_symmetries(fixed)))
    other = max(0.0, float(shifted.max()), float(turned.max()))
    return min(MOST_RIVAL, other / own)


@dataclass(frozen=True, eq=False)
class _Chart:
    """Sections on one frame."""

    planes: Tensor
    """Normalised density and edges, (B, 2, H, W)."""
    mask: Tensor
    """1 in the outline, (B, 1, H, W)."""

    @classmethod
    def draw(cls, moving: Section, affine: Affine, frame: Frame, moves: Matrices) -> Self:
        """Draw the moving section on a frame of the fixed space, after each of `moves`."""
        coordinates = sample_coordinates(affine, moving, frame, moves)
        planes = normalise_locally(warp_planes(moving, frame, coordinates), RADIUS_PX)
        _, _, outline = moving.planes_at(SIZE_PX)
        outline = outline.expand(len(moves), -1, -1, -1)
        mask = F.grid_sample(outline, coordinates, align_corners=False)
        return cls(planes, (mask > 0.5).float())

    def compare(self, other: _Chart) -> Tensor:
        """Return the correlation with every chart of the other at every shift, (B, h, w).

        It is over both outlines, and −1 where these overlap too little. Shifts wrap around.
        """
        size = [
            cv2.getOptimalDFTSize(own + others)
            for own, others in zip(self.mask.shape[-2:], other.mask.shape[-2:], strict=True)
        ]
        ours = torch.fft.rfft2(self._stack_terms(), size).conj()
        theirs = torch.fft.rfft2(other._stack_terms(), size)

        def correlate(own: int, others: int) -> Tensor:
            shifts: Tensor = torch.fft.irfft2(ours[:, own] * theirs[:, others], size)
            return shifts

        energy = correlate(2, 3).clamp_min(1) * correlate(3, 2).clamp_min(1)
        score = (correlate(0, 0) + correlate(1, 1)) / energy.sqrt()
        smaller = torch.minimum(self.mask.sum(), other.mask.sum((1, 2, 3)))
        is_enough = correlate(3, 3) >= MIN_OVERLAP * smaller.clamp_min(1)[:, None, None]
        return torch.where(is_enough, score, score.new_tensor(-1.0))

    def _stack_terms(self) -> Tensor:
        """Return (B, 4, H, W): both planes, the sum of their squares, and the mask."""
        planes = self.planes * self.mask
        return torch.cat([planes, planes.square().sum(1, keepdim=True), self.mask], 1)


def _extend_frame(frame: Frame, moving: Section, affine: Affine) -> tuple[Frame, tuple[int, int]]:
    """Return a frame that holds the moving section too, and its corner (x, y) in pixels.

    It grows by the frame's own size on each side at most.
    """
    corners = frame.to_px(affine.inverse()(moving.frame.corners_um))
    side = np.array([frame.width, frame.height])
    low = np.clip(np.floor(corners.min(axis=0)), -side, 0).astype(int)
    high = np.clip(np.ceil(corners.max(axis=0)), side, 2 * side).astype(int)
    width, height = (high - low).tolist()
    left_um, top_um = frame.to_um(low[None].astype(np.float64))[0].tolist()
    x, y = low.tolist()
    return Frame(frame.space, height, width, frame.mpp, (left_um, top_um)), (x, y)


def _measure_shifts(scores: Tensor, wide: Frame, offset: tuple[int, int]) -> Tensor:
    """Return how far each shift of (B, h, w) scores is from none, (h, w) in pixels."""
    height, width = scores.shape[-2:]
    x, y = (
        (torch.arange(period) + period - extent) % period - (period - extent) + start
        for period, extent, start in (
            (width, wide.width, offset[0]),
            (height, wide.height, offset[1]),
        )
    )
    return torch.hypot(y[:, None].float(), x[None].float())


def _list_symmetries(fixed: Section) -> Matrices:
    """Return turns by right angles and mirrorings about the outline's axes, (7, 3, 3)."""
    points = fixed.frame.centres_um()[fixed.region.ravel()]
    centre = points.mean(axis=0)
    _, axes = np.linalg.eigh(np.cov((points - centre).T))
    moves = []
    for mirror in (1.0, -1.0):
        for cos, sin in ((1, 0), (0, 1), (-1, 0), (0, -1)):
            turn = np.array([[cos, -sin], [sin, cos]]) @ np.diag([mirror, 1.0])
            move = np.eye(3)
            move[:2, :2] = axes @ turn @ axes.T
            move[:2, 2] = centre - move[:2, :2] @ centre
            moves.append(move)
    return np.stack(moves[1:])
