"""Placements from matched points, such as scattered cells, which coarse charts cannot show.

SIFT (Lowe 2004, doi:10.1023/B:VISI.0000029664.99615.94) on tissue density, ratio-tested matches,
and a similarity transform by random sample consensus. Across unlike stains it often matches
nothing; the search does not depend on it.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from stainbridge.registration.sections.section import Section
from stainbridge.registration.stages.hypothesis import Hypothesis
from stainbridge.types import Matrix

#: A match is kept where its distance is below this share of the second best's.
MAX_RATIO = 0.85
#: Largest distance, in pixels, of an inlier from where the transform takes it.
TOLERANCE_PX = 4.0
#: Least number of matches, and of inliers among them.
MIN_INLIERS = 12
#: Least share of the matches that are inliers: of many matches, a few agree by chance.
MIN_INLIER_SHARE = 0.04
#: Most features of a picture.
MAX_FEATURES = 1500
#: Least contrast of a feature, on OpenCV's scale.
CONTRAST = 0.02
#: Least scale; below it many points are matched to one.
MIN_SCALE = 0.1
#: Grey levels per unit of tissue density.
GREY_PER_DENSITY = 210
#: OpenCV finds points on the doubled picture and halves their coordinates: 0.25 px too far.
DOUBLING_SHIFT_PX = 0.25
#: Random samples that are tried.
ITERATIONS = 5000
#: Probability of a sample without outliers at which sampling stops.
CONFIDENCE = 0.999
#: A placement that this share of the matches agree on is no chance; below, a mirrored one may be
#: better.
CERTAIN_SHARE = 0.5


@dataclass(frozen=True, eq=False)
class _Features:
    """Points of a picture, (N, 2), their descriptors, (N, 128), and the matrix to µm, (3, 3)."""

    points: npt.NDArray[np.float64]
    descriptors: npt.NDArray[np.float32] | None
    to_um: Matrix


def match_features(
    fixed: Section, moving: Section, *, allow_flip: bool, size_px: int
) -> list[Hypothesis]:
    """Return at most one placement, plain or mirrored; its score is the share of inliers."""
    fixed_features = _detect(*_draw_picture(fixed, size_px))
    moving_features = _detect(*_draw_picture(moving, size_px))
    plain = _match(fixed_features, moving_features)
    found = [] if plain is None else [plain]
    if allow_flip and (plain is None or plain.score < CERTAIN_SHARE):
        mirrored = _match(fixed_features, _mirror(moving_features))
        found += [] if mirrored is None else [mirrored]
    return sorted(found, key=lambda hypothesis: -hypothesis.score)[:1]


def _draw_picture(section: Section, size_px: int) -> tuple[npt.NDArray[np.uint8], Matrix]:
    """Return 8-bit density (H, W) and the matrix from its pixels (corner origin) to µm."""
    frame, density, outline = section.density_at(size_px)
    grey = (density * outline)[0, 0].cpu().numpy() * GREY_PER_DENSITY
    plane = np.clip(grey, 0, 255).astype(np.uint8)
    x, y = frame.origin_um
    return plane, np.array([[frame.mpp[0], 0, x], [0, frame.mpp[1], y], [0, 0, 1.0]])


def _detect(plane: npt.NDArray[np.uint8], to_um: Matrix) -> _Features:
    detector = cv2.SIFT.create(nfeatures=MAX_FEATURES, contrastThreshold=CONTRAST)
    points, descriptors = detector.detectAndCompute(plane, None)
    centres = np.array([point.pt for point in points], float).reshape(-1, 2)
    return _Features(centres + 0.5 - DOUBLING_SHIFT_PX, descriptors, to_um)


def _mirror(features: _Features) -> _Features:
    """Return what `_detect` finds in the plane mirrored in x, with its corner at the origin still.

    A descriptor's 4 x 4 cells lie along and across its keypoint's orientation, with 8 orientations
    relative to it. In a mirror, rows and the sense of turning are reversed.
    """
    mirror = np.diag([-1.0, 1.0, 1.0])
    descriptors = features.descriptors
    if descriptors is not None:
        cells = descriptors.reshape(-1, 4, 4, 8)[:, ::-1]
        descriptors = np.concatenate([cells[..., :1], cells[..., :0:-1]], -1).reshape(-1, 128)
    return _Features(features.points * [-1, 1], descriptors, features.to_um @ mirror)


def _match(fixed: _Features, moving: _Features) -> Hypothesis | None:
    """Return the similarity transform that most matches agree on, if enough do."""
    a, b = fixed.descriptors, moving.descriptors
    if a is None or b is None or min(len(a), len(b)) < MIN_INLIERS:
        return None
    pairs = [
        (best.queryIdx, best.trainIdx)
        for best, second in cv2.BFMatcher().knnMatch(a, b, k=2)
        if best.distance < MAX_RATIO * second.distance
    ]
    if len(pairs) < MIN_INLIERS:
        return None
    fixed_index, moving_index = zip(*pairs, strict=True)
    # The sampling inside begins at a fixed state of its own: OpenCV's global seed plays no part.
    rows, inliers = cv2.estimateAffinePartial2D(
        fixed.points[list(fixed_index)],
        moving.points[list(moving_index)],
        method=cv2.RANSAC,
        ransacReprojThreshold=TOLERANCE_PX,
        maxIters=ITERATIONS,
        confidence=CONFIDENCE,
    )
    least = max(MIN_INLIERS, MIN_INLIER_SHARE * len(pairs))
    if rows is None or int(inliers.sum()) < least:
        return None
    if np.linalg.det(rows[:, :2]) < MIN_SCALE**2:
        return None
    matrix = moving.to_um @ np.vstack([rows, [0, 0, 1]]) @ np.linalg.inv(fixed.to_um)
    return Hypothesis(matrix, float(inliers.mean()))
