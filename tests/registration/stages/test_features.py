"""Point features give a start where there is one, and nothing where there is none."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from stainbridge.geometry.frame import Space
from stainbridge.imaging.image import Image
from stainbridge.registration.sections.section import Section, section_of_image
from stainbridge.registration.stages.features import _describe, _mirrored, feature_starts


def cells(seed: int, size: int = 500) -> np.ndarray:
    """Scattered cells of several sizes on bare glass, (H, W, 3) uint8: a smear without an outline."""
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
    return cv2.GaussianBlur(picture, (0, 0), 0.8)


def section(picture: np.ndarray, name: str) -> Section:
    made = section_of_image(
        Image(
            np.moveaxis(picture, -1, 0),
            Space(name, *picture.shape[:2]).frame,
            np.ones(picture.shape[:2], bool),
        )
    )
    assert made is not None
    return made


@pytest.mark.parametrize("flip", [False, True])
def test_scattered_cells_are_matched_turned_and_mirrored(flip: bool) -> None:
    linear = (
        0.9
        * np.array([[np.cos(2), -np.sin(2)], [np.sin(2), np.cos(2)]])
        @ np.diag([-1 if flip else 1, 1])
    )
    true = np.c_[linear, np.array([260, 245]) - linear @ [250, 250]]
    centred = true + np.c_[np.zeros((2, 2)), linear @ [0.5, 0.5] - 0.5]
    moving = cv2.warpAffine(cells(1), centred, (520, 500), borderValue=(244, 244, 244))
    found = feature_starts(
        section(cells(1), "fixed"), section(moving, "moving"), allow_flip=True, size_px=1024, seed=0
    )
    assert len(found) == 1
    points = np.array([[100, 100, 1], [400, 120, 1], [250, 400, 1.0]])
    np.testing.assert_allclose((points @ found[0].matrix.T)[:, :2], points @ true.T, atol=1.0)
    if flip:
        assert not feature_starts(
            section(cells(1), "fixed"),
            section(moving, "moving"),
            allow_flip=False,
            size_px=1024,
            seed=0,
        )


def test_unrelated_cells_give_no_start() -> None:
    one, other = section(cells(1), "fixed"), section(cells(2), "moving")
    assert feature_starts(one, other, allow_flip=True, size_px=1024, seed=0) == []


def test_mirrored_descriptions_are_those_of_the_mirrored_picture() -> None:
    plane = np.ascontiguousarray(255 - cells(3)[..., 1])
    to_mirror = np.array([[-1.0, 0, plane.shape[1]], [0, 1, 0], [0, 0, 1]])
    turned = _mirrored(_describe(plane, np.eye(3)))
    again = _describe(np.ascontiguousarray(plane[:, ::-1]), to_mirror)
    assert turned[1] is not None
    assert again[1] is not None
    places = [points @ to_um[:2, :2].T + to_um[:2, 2] for points, _, to_um in (turned, again)]
    distances = np.linalg.norm(places[0][:, None] - places[1], axis=-1)
    nearest = distances.min(1)
    assert (nearest < 0.1).mean() > 0.8
    exact = nearest < 0.01  # the same point with the same orientation
    assert exact.mean() > 0.25
    difference = np.linalg.norm(turned[1] - again[1][distances.argmin(1)], axis=1)[exact]
    assert np.median(difference) < 0.05 * np.linalg.norm(turned[1], axis=1).mean()
