"""Point features and a robust affine fit, as OpenCV's documentation does it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np

from stainbridge.evaluate.methods.alignment import Alignment, Method, fail
from stainbridge.evaluate.methods.views import View, affine_from_pixels, grey_view
from stainbridge.slides.slide import Slide

#: Pixels along the longer side of the pictures.
WORKING_PX = 2048
#: Features of a picture, the strongest ones.
MAX_FEATURES = 8000
#: Nearest over second nearest distance that a match stays below. Lowe 2004, "Distinctive image
#: features from scale-invariant keypoints", doi:10.1023/B:VISI.0000029664.99615.94.
RATIO = 0.8
#: Pixels that a match may lie off the affine map.
RANSAC_PX = 5.0
#: Matches that a map needs; OpenCV's tutorial on feature matching asks for as many.
MIN_MATCHES = 10
#: What both methods depend on.
FEATURES = {
    "working_px": WORKING_PX,
    "most_features": MAX_FEATURES,
    "ransac_px": RANSAC_PX,
    "matches": MIN_MATCHES,
}

Matches = Sequence[cv2.DMatch]
MatchFunction = Callable[[Any, Any], Matches]


def align_by_sift(fixed: Slide, moving: Slide) -> Alignment:
    """Match SIFT features after CLAHE by Lowe's ratio test; fit an affine map by RANSAC."""
    detector = cv2.SIFT.create(nfeatures=MAX_FEATURES)
    return _align(detector, _match_by_ratio, fixed, moving)


def align_by_orb(fixed: Slide, moving: Slide) -> Alignment:
    """Match ORB features after CLAHE by mutual Hamming distance; fit an affine map by RANSAC.

    Rublee et al. 2011, "ORB: an efficient alternative to SIFT or SURF",
    doi:10.1109/ICCV.2011.6126544.
    """
    detector = cv2.ORB.create(nfeatures=MAX_FEATURES)
    return _align(detector, _match_mutually, fixed, moving)


def _align(detector: Any, match: MatchFunction, fixed: Slide, moving: Slide) -> Alignment:
    cv2.setRNGSeed(0)
    fixed_view = grey_view(fixed, WORKING_PX)
    moving_view = grey_view(moving, WORKING_PX)
    fixed_points, fixed_features = _detect(detector, fixed_view)
    moving_points, moving_features = _detect(detector, moving_view)
    if min(len(fixed_points), len(moving_points)) < MIN_MATCHES:
        counts = f"{len(fixed_points)} and {len(moving_points)} features"
        return fail(f"{counts}, needed {MIN_MATCHES}")
    matches = match(fixed_features, moving_features)
    if len(matches) < MIN_MATCHES:
        return fail(f"{len(matches)} matches, needed {MIN_MATCHES}")
    matrix, _ = cv2.estimateAffine2D(
        np.array([fixed_points[match.queryIdx].pt for match in matches], np.float32),
        np.array([moving_points[match.trainIdx].pt for match in matches], np.float32),
        method=cv2.RANSAC,
        ransacReprojThreshold=RANSAC_PX,
        maxIters=5000,
        confidence=0.999,
    )
    if matrix is None:
        return fail(f"no affine map fits the {len(matches)} matches")
    return Alignment(affine_from_pixels(matrix, fixed_view, moving_view))


def _detect(detector: Any, view: View) -> Any:
    """Return the points and features of a picture after contrast equalisation."""
    equaliser = cv2.createCLAHE(clipLimit=2.0, tileGridSize=(8, 8))
    return detector.detectAndCompute(equaliser.apply(view.grey), None)


def _match_by_ratio(query: Any, train: Any) -> Matches:
    nearest = cv2.BFMatcher(cv2.NORM_L2).knnMatch(query, train, k=2)
    return [
        pair[0]
        for pair in nearest
        if len(pair) == 2 and pair[0].distance < RATIO * pair[1].distance
    ]


def _match_mutually(query: Any, train: Any) -> Matches:
    return list(cv2.BFMatcher(cv2.NORM_HAMMING, crossCheck=True).match(query, train))


METHODS = (
    Method(
        "sift",
        "OpenCV SIFT, ratio test, RANSAC affine",
        lambda: align_by_sift,
        lambda: {**FEATURES, "ratio": RATIO},
    ),
    Method("orb", "OpenCV ORB, mutual matches, RANSAC affine", lambda: align_by_orb, FEATURES.copy),
)
