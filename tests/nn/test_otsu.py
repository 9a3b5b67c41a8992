"""Otsu's threshold."""

from __future__ import annotations

import cv2
import numpy as np
import torch

from stainbridge.nn.otsu import find_otsu_threshold


def test_it_parts_two_levels_in_their_middle() -> None:
    picture = torch.full((1, 1, 8, 8), 0.2)
    picture[..., :3] = 0.8
    assert abs(float(find_otsu_threshold(picture)) - 0.5) < 0.01


def test_each_picture_has_its_own_and_it_is_that_of_opencv() -> None:
    rng = np.random.default_rng(0)
    grey = np.clip(rng.normal([[60], [140]], 20, (2, 4096)), 0, 255).astype(np.uint8)
    grey = np.stack([grey.reshape(1, 64, 128), grey.reshape(1, 64, 128) // 2])
    thresholds = find_otsu_threshold(torch.from_numpy(grey / 255.0).float())
    assert thresholds.shape == (2, 1, 1, 1)
    for picture, threshold in zip(grey, thresholds, strict=True):
        expected, _ = cv2.threshold(picture[0], 0, 255, cv2.THRESH_OTSU)
        assert abs(255 * float(threshold) - expected) < 3
