"""DAB: known amounts of stain are found again, and scikit-image agrees."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from skimage.color import separate_stains

from stainbridge.errors import InputError
from stainbridge.imaging.deconvolution import DAB, EOSIN, HAEMATOXYLIN, stain_densities
from stainbridge.metrics.stains import dab_density, score_dab

Array = np.ndarray[Any, Any]


def stained(haematoxylin: Array, dab: Array) -> Array:
    """(3, H, W) uint8 of base-10 optical densities (H, W) by Beer-Lambert."""
    density = sum(
        amount * (np.array(stain) / np.linalg.norm(stain))[:, None, None]
        for amount, stain in ((haematoxylin, HAEMATOXYLIN), (dab, DAB))
    )
    return np.rint(255 * 10**-density).astype(np.uint8)


ROWS, COLUMNS = np.mgrid[:40, :50]
COUNTERSTAIN = 0.1 + 0.3 * ROWS / 40
BROWN = np.where((COLUMNS > 10) & (COLUMNS < 30), 0.6, 0.02)


def test_known_amounts_are_found_again() -> None:
    found = stain_densities(stained(COUNTERSTAIN, BROWN), HAEMATOXYLIN, DAB)
    np.testing.assert_allclose(found, [COUNTERSTAIN, BROWN], atol=0.012)  # of 8-bit rounding


def test_three_stains_are_those_of_scikit_image() -> None:
    rgb = np.random.default_rng(1).integers(20, 255, (3, 12, 14), np.uint8)
    directions = np.array(
        [np.array(stain) / np.linalg.norm(stain) for stain in (HAEMATOXYLIN, EOSIN, DAB)]
    )
    theirs = (
        separate_stains(np.moveaxis(rgb / 255, 0, -1), np.linalg.inv(directions)) * 6
    )  # in units of log10 1e-6
    ours = np.clip(stain_densities(rgb, HAEMATOXYLIN, EOSIN, DAB), 0, None)
    np.testing.assert_allclose(np.moveaxis(ours, 0, -1), theirs, atol=1e-5)


def test_the_agreement_of_two_pictures_is_that_of_their_dab() -> None:
    shifted = np.roll(BROWN, 5, axis=1)  # 19 columns positive, 14 shared
    scores = score_dab(stained(COUNTERSTAIN, BROWN), stained(COUNTERSTAIN + 0.1, shifted))
    assert scores.positive_share_a == scores.positive_share_b == 19 / 50
    assert scores.positive_dice == pytest.approx(14 / 19)
    assert scores.mean_density_a == pytest.approx(BROWN.mean(), abs=0.005)
    assert scores.density_correlation == pytest.approx(
        np.corrcoef(BROWN.ravel(), shifted.ravel())[0, 1], abs=0.01
    )


def test_only_the_masked_part_counts() -> None:
    mask = (COLUMNS > 10) & (COLUMNS < 21)
    rgb = stained(COUNTERSTAIN, BROWN)
    scores = score_dab(rgb, rgb, mask)
    assert (scores.positive_share_a, scores.positive_dice) == (1, 1)
    assert scores.mean_density_a == pytest.approx(0.6, abs=0.01)


def test_without_dab_there_is_nothing_to_overlap() -> None:
    blue = stained(COUNTERSTAIN, np.zeros_like(BROWN))
    scores = score_dab(blue, blue)
    assert scores.positive_share_a == 0
    assert np.isnan(scores.positive_dice)
    white = np.full_like(blue, 255)
    assert np.isnan(score_dab(white, white).density_correlation)
    assert dab_density(white).max() == 0


RGB = np.zeros((3, 20, 20), np.uint8)


@pytest.mark.parametrize(
    ("a", "b", "mask", "message"),
    [
        (RGB, RGB[:, 1:], None, "same size"),
        (RGB, RGB, np.ones((20, 19), bool), "the size of what"),
        (RGB, RGB, np.zeros((20, 20), bool), "mask is empty"),
        (RGB[:1], RGB[:1], None, "8-bit RGB"),
        (RGB.astype(np.uint16), RGB.astype(np.uint16), None, "8-bit RGB"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    a: Array, b: Array, mask: Array | None, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        score_dab(a, b, mask)
