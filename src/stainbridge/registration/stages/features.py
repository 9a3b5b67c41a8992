"""Starts from matched points: what the search's coarse charts cannot see, such as scattered cells,
features can.

SIFT (Lowe 2004, doi:10.1023/B:VISI.0000029664.99615.94) on tissue density, ratio-tested matches, a
similarity by random sample consensus. Across unlike stains it finds little, and then says nothing;
the search stands on its own.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from stainbridge.registration.sections.section import Section
from stainbridge.registration.stages.search import Hypothesis
from stainbridge.types import Matrix

RATIO = 0.85
TOLERANCE_PX = 4.0
MIN_INLIERS = 12
MAX_FEATURES = 1500
MIN_SCALE = 0.1


def feature_starts(
    fixed: Section, moving: Section, *, allow_flip: bool, size_px: int, seed: int
) -> list[Hypothesis]:
    """At most one start, plain or mirrored; its score is the share of the matches that agree on it."""
    target, shown = (_describe(*_picture(section, size_px)) for section in (fixed, moving))
    found = _match(target, shown, seed)
    if found is None and allow_flip:
        found = _match(target, _mirrored(shown), seed)
    return [] if found is None else [found]


def _picture(section: Section, size_px: int) -> tuple[npt.NDArray[np.uint8], Matrix]:
    """8-bit density (H, W), and the matrix from its pixels (corner origin) to µm."""
    frame, density, outline = section.at(size_px)
    plane = np.clip((density * outline)[0, 0].cpu().numpy() * 210, 0, 255).astype(np.uint8)
    return plane, np.array(
        [[frame.mpp[0], 0, frame.origin_um[0]], [0, frame.mpp[1], frame.origin_um[1]], [0, 0, 1.0]]
    )


_Described = tuple[npt.NDArray[np.float64], npt.NDArray[np.float32] | None, Matrix]


def _describe(plane: npt.NDArray[np.uint8], to_um: Matrix) -> _Described:
    detector = cv2.SIFT.create(nfeatures=MAX_FEATURES, contrastThreshold=0.02)
    points, descriptors = detector.detectAndCompute(plane, None)
    # OpenCV finds points on the doubled picture and halves their places, which puts them 0.25 px
    # too far on
    corners = np.array([point.pt for point in points], float).reshape(-1, 2) + 0.5 - 0.25
    return corners, descriptors, to_um


def _mirrored(described: _Described) -> _Described:
    """What `_describe` makes of the plane mirrored in x, its corner at the origin still.

    A descriptor's 4 x 4 cells lie along and across its keypoint's orientation, with 8 orientations
    relative to it: seen in a mirror, rows and the sense of turning are reversed.
    """
    points, descriptors, to_um = described
    mirror = np.diag([-1.0, 1.0, 1.0])
    if descriptors is not None:
        cells = descriptors.reshape(-1, 4, 4, 8)[:, ::-1]
        descriptors = np.concatenate([cells[..., :1], cells[..., :0:-1]], -1).reshape(-1, 128)
    return points * [-1, 1], descriptors, to_um @ mirror


def _match(fixed: _Described, moving: _Described, seed: int) -> Hypothesis | None:
    (points_a, a, a_to_um), (points_b, b, b_to_um) = fixed, moving
    if a is None or b is None or min(len(a), len(b)) < MIN_INLIERS:
        return None
    pairs = [
        (first.queryIdx, first.trainIdx)
        for first, second in cv2.BFMatcher().knnMatch(a, b, k=2)
        if first.distance < RATIO * second.distance
    ]
    if len(pairs) < MIN_INLIERS:
        return None
    here, there = (
        points[list(index)]
        for points, index in zip((points_a, points_b), zip(*pairs, strict=True), strict=True)
    )
    cv2.setRNGSeed(seed)
    rows, inliers = cv2.estimateAffinePartial2D(
        here,
        there,
        method=cv2.RANSAC,
        ransacReprojThreshold=TOLERANCE_PX,
        maxIters=5000,
        confidence=0.999,
    )
    if rows is None or int(inliers.sum()) < MIN_INLIERS:
        return None
    if np.linalg.det(rows[:, :2]) < MIN_SCALE**2:  # many points matched to one
        return None
    matrix = b_to_um @ np.vstack([rows, [0, 0, 1]]) @ np.linalg.inv(a_to_um)
    return Hypothesis(matrix, float(inliers.mean()))
