"""Point features give a placement where there is one, and nothing where there is none."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from stainbridge.geometry.frame import Space
from stainbridge.imaging.image import Image
from stainbridge.registration.sections.section import Section, make_section
from stainbridge.registration.stages.features import _detect, _mirror, match_features
from stainbridge.slides.overview import overview_of


def draw_cells(seed: int, size: int = 500) -> np.ndarray:
    """Draw cells of several sizes on glass, (H, W, 3) uint8: a smear without an outline."""
    rng = np.random.default_rng(seed)
    picture = np.full((size, size, 3), 244, np.uint8)
    for x, y, radius, grey in zip(
        *rng.integers(30, size - 30, (2, 260)),
        rng.integers(2, 7, 260),
        rng.integers(60, 170, 260),
        strict=True,
    ):
        cv2.circle(
            picture,
            (int(x), int(y)),
            int(radius),
            (int(grey), int(grey) - 40, int(grey)),
            -1,
            cv2.LINE_AA,
        )
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 0.8))


def section_of(picture: np.ndarray, name: str) -> Section:
    """Return the section that a picture (H, W, 3) shows."""
    height, width = picture.shape[:2]
    frame = Space(name, height, width).frame
    image = Image(np.moveaxis(picture, -1, 0), frame, np.ones((height, width), bool))
    section = make_section(overview_of(image))
    assert section is not None
    return section


@pytest.mark.parametrize("flip", [False, True])
def test_scattered_cells_are_matched_turned_and_mirrored(flip: bool) -> None:
    turn = np.array([[np.cos(2), -np.sin(2)], [np.sin(2), np.cos(2)]])
    linear = 0.9 * turn @ np.diag([-1 if flip else 1, 1])
    truth = np.c_[linear, np.array([260, 245]) - linear @ [250, 250]]
    centred = truth + np.c_[np.zeros((2, 2)), linear @ [0.5, 0.5] - 0.5]
    warped = cv2.warpAffine(draw_cells(1), centred, (520, 500), borderValue=(244, 244, 244))
    fixed = section_of(draw_cells(1), "fixed")
    moving = section_of(warped, "moving")
    (placement,) = match_features(fixed, moving, allow_flip=True, size_px=1024)
    points = np.array([[100, 100, 1], [400, 120, 1], [250, 400, 1.0]])
    np.testing.assert_allclose((points @ placement.matrix.T)[:, :2], points @ truth.T, atol=1.0)
    if flip:
        assert not match_features(fixed, moving, allow_flip=False, size_px=1024)


def test_unrelated_cells_give_no_placement() -> None:
    first = section_of(draw_cells(1), "fixed")
    second = section_of(draw_cells(2), "moving")
    assert match_features(first, second, allow_flip=True, size_px=1024) == []


def test_mirrored_features_are_those_of_the_mirrored_picture() -> None:
    plane = np.ascontiguousarray(255 - draw_cells(3)[..., 1])
    to_mirror = np.array([[-1.0, 0, plane.shape[1]], [0, 1, 0], [0, 0, 1]])
    mirrored = _mirror(_detect(plane, np.eye(3)))
    detected = _detect(np.ascontiguousarray(plane[:, ::-1]), to_mirror)
    assert mirrored.descriptors is not None
    assert detected.descriptors is not None
    places = [
        features.points @ features.to_um[:2, :2].T + features.to_um[:2, 2]
        for features in (mirrored, detected)
    ]
    distances = np.linalg.norm(places[0][:, None] - places[1], axis=-1)
    nearest = distances.min(1)
    assert (nearest < 0.1).mean() > 0.8
    exact = nearest < 0.01  # the same point with the same orientation
    assert exact.mean() > 0.25
    partners = detected.descriptors[distances.argmin(1)]
    difference = np.linalg.norm(mirrored.descriptors - partners, axis=1)[exact]
    assert np.median(difference) < 0.05 * np.linalg.norm(mirrored.descriptors, axis=1).mean()
