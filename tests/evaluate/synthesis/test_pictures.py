from __future__ import annotations

import math

import numpy as np
import pytest

from stainbridge.evaluate.synthesis.pictures import (
    PictureScores,
    average_scores,
    score_pictures,
)
from stainbridge.metrics.images import score_images

A, B = np.random.default_rng(0).integers(0, 256, (2, 3, 40, 48), np.uint8)


def test_scores_are_those_of_evaluate_images() -> None:
    ours, theirs = score_pictures(A, B), score_images(A, B)
    assert ours.ncc == pytest.approx(theirs.ncc)
    assert ours.ssim == pytest.approx(theirs.ssim_gaussian11)
    assert ours.nmi == pytest.approx(theirs.nmi)


def test_unlike_channels_are_compared_by_their_means() -> None:
    scores = score_pictures(A, A[:1])
    assert 0 < scores.ncc < 1
    assert score_pictures(A[:1], A[:1]).ssim == pytest.approx(1.0)


def test_an_undefined_nmi_is_left_out_of_its_mean() -> None:
    scores = [PictureScores(0.2, 0.4, 1.5), PictureScores(0.4, 0.6, math.nan)]
    mean = average_scores(scores)
    assert mean is not None
    assert (mean.ncc, mean.ssim, mean.nmi) == pytest.approx((0.3, 0.5, 1.5))
    assert average_scores([]) is None
