"""Point features and a robust affine fit, as OpenCV's documentation does it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np

from stainbridge.evaluate.methods.alignment import Alignment, failed
from stainbridge.evaluate.methods.views import View, affine_from_pixels, grey_view
from stainbridge.slides.slide import Slide

WORKING_PX = 2048
MOST_FEATURES = 8000
#: Lowe 2004, "Distinctive image features from scale-invariant keypoints",
#: doi:10.1023/B:VISI.0000029664.99615.94.
RATIO = 0.8
RANSAC_PX = 5.0
#: OpenCV's tutorial on feature matching asks for as many.
MIN_MATCHES = 10
#: What both depend on.
FEATURES = {
    "working_px": WORKING_PX,
    "most_features": MOST_FEATURES,
    "ransac_px": RANSAC_PX,
    "matches": MIN_MATCHES,
}

Matches = Sequence[cv2.DMatch]
Match = Callable[[Any, Any], Matches]


def sift(fixed: Slide, moving: Slide) -> Alignment:
    """SIFT after CLAHE, nearest neighbours with Lowe's ratio test, affine by RANSAC."""
    detector = cv2.SIFT.create(nfeatures=MOST_FEATURES)
    return _align(detector, _by_ratio, grey_view(fixed, WORKING_PX), grey_view(moving, WORKING_PX))


def orb(fixed: Slide, moving: Slide) -> Alignment:
    """ORB after CLAHE, mutual nearest neighbours in Hamming distance, affine by RANSAC.

    Rublee et al. 2011, "ORB: an efficient alternative to SIFT or SURF",
    doi:10.1109/ICCV.2011.6126544.
    """
    detector = cv2.ORB.create(nfeatures=MOST_FEATURES)
    return _align(detector, _mutual, grey_view(fixed, WORKING_PX), grey_view(moving, WORKING_PX))


def _align(detector: Any, match: Match, fixed: View, moving: View) -> Alignment:
    cv2.setRNGSeed(0)
    levelled = cv2.createCLAHE(clipLimit=2.0, tileGridSize=(8, 8))
    (first, described), (second, also_described) = (
        detector.detectAndCompute(levelled.apply(view.grey), None) for view in (fixed, moving)
    )
    if min(len(first), len(second)) < MIN_MATCHES:
        return failed(f"{len(first)} and {len(second)} features, needed {MIN_MATCHES}")
    matches = match(described, also_described)
    if len(matches) < MIN_MATCHES:
        return failed(f"{len(matches)} matches, needed {MIN_MATCHES}")
    points = (
        np.array([first[m.queryIdx].pt for m in matches], np.float32),
        np.array([second[m.trainIdx].pt for m in matches], np.float32),
    )
    matrix, _ = cv2.estimateAffine2D(
        *points, method=cv2.RANSAC, ransacReprojThreshold=RANSAC_PX, maxIters=5000, confidence=0.999
    )
    if matrix is None:
        return failed(f"no affine map fits the {len(matches)} matches")
    return Alignment(affine_from_pixels(matrix, fixed, moving))


def _by_ratio(query: Any, train: Any) -> Matches:
    nearest = cv2.BFMatcher(cv2.NORM_L2).knnMatch(query, train, k=2)
    return [
        pair[0]
        for pair in nearest
        if len(pair) == 2 and pair[0].distance < RATIO * pair[1].distance
    ]


def _mutual(query: Any, train: Any) -> Matches:
    return list(cv2.BFMatcher(cv2.NORM_HAMMING, crossCheck=True).match(query, train))
