"""NMI: entropies worked by hand and by scipy, and what the definition promises."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.interpolate import BSpline
from scipy.stats import entropy
from tests.similarity.pictures import smooth

from stainbridge.errors import InputError
from stainbridge.similarity.nmi import nmi


def by_scipy(a: np.ndarray, b: np.ndarray, bins: int) -> float:
    """The same Parzen histogram, from scipy's B-spline and entropy."""
    window = BSpline.basis_element(np.arange(-2, 3), extrapolate=False)
    places = [1 + x.ravel() * (bins - 3) for x in (a, b)]
    wa, wb = (np.nan_to_num(window(place[:, None] - np.arange(bins))) for place in places)
    joint = wa.T @ wb
    return float((entropy(joint.sum(1)) + entropy(joint.sum(0))) / entropy(joint.ravel()))


def test_it_is_the_ratio_of_entropies() -> None:
    fixed, moving = smooth(1, 1, 31, 33, seed=1), smooth(1, 1, 31, 33, seed=2).square()
    expected = by_scipy(fixed.numpy(), moving.numpy(), bins=20)
    assert float(nmi(fixed, moving, bins=20)) == pytest.approx(expected, rel=1e-9)


def test_independent_pictures_have_one() -> None:
    rows = torch.linspace(0, 1, 64, dtype=torch.float64).view(1, 1, 64, 1).expand(1, 1, 64, 64)
    assert float(nmi(rows, rows.transpose(2, 3))) == pytest.approx(1, abs=1e-9)


def test_any_relabelling_of_grey_values_is_seen_through() -> None:
    fixed = smooth(1, 1, 64, 64, seed=3)
    other = smooth(1, 1, 64, 64, seed=4)
    wave = torch.sin(6 * fixed).square()
    assert float(nmi(fixed, wave)) > float(nmi(fixed, other)) + 0.1


def test_the_span_is_that_of_the_values() -> None:
    fixed, moving = smooth(1, 1, 20, 20, seed=5), smooth(1, 1, 20, 20, seed=6)
    torch.testing.assert_close(nmi(255 * fixed, 255 * moving, span=(0, 255)), nmi(fixed, moving))


def test_too_few_bins_are_refused() -> None:
    fixed = smooth(1, 1, 8, 8, seed=7)
    with pytest.raises(InputError, match="bins"):
        nmi(fixed, fixed, bins=4)
