"""FID and KID against their formulas by scipy and numpy, on a small network made on the spot."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from torch import Tensor, nn

from stainbridge.errors import InputError, MissingExtraError
from stainbridge.metrics.distributions import (
    compute_features,
    load_feature_net,
    score_distributions,
)


class SmallNet(nn.Module):
    """Means of channels, of their squares, and of differences: (N, 3, H, W) uint8 to (N, 9)."""

    def forward(self, images: Tensor) -> Tensor:
        x = images.float() / 255
        return torch.cat(
            [x.mean((2, 3)), (x * x).mean((2, 3)), (x[..., 1:] - x[..., :-1]).abs().mean((2, 3))], 1
        )


class Published(nn.Module):
    """Gives features only when asked to, as the published Inception file does."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = SmallNet()

    def forward(self, images: Tensor, return_features: bool = False) -> Tensor:
        features: Tensor = self.layers(images)
        if return_features:
            return features
        return features[:, :1]


def pictures(count: int, seed: int, brightest: int = 255) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, brightest, (count, 3, 8, 8), generator=generator, dtype=torch.uint8)


def batches(images: Tensor, size: int = 7) -> Iterator[Tensor]:
    return iter(images.split(size))


REAL, OTHER = (
    compute_features([pictures(40, seed, top)], SmallNet()) for seed, top in ((1, 255), (2, 200))
)


def frechet(a: np.ndarray, b: np.ndarray) -> float:
    root = sqrtm(np.cov(a.T) @ np.cov(b.T))
    mean = ((a.mean(0) - b.mean(0)) ** 2).sum()
    return float(mean + np.trace(np.cov(a.T) + np.cov(b.T) - 2 * root.real))


def kernel_distance(a: np.ndarray, b: np.ndarray) -> float:
    """The unbiased squared maximum mean discrepancy with the kernel (x·y/d + 1)³."""
    n, (kaa, kbb, kab) = (
        len(a),
        ((x @ y.T / a.shape[1] + 1) ** 3 for x, y in ((a, a), (b, b), (a, b))),
    )
    return float(
        (kaa.sum() - np.trace(kaa) + kbb.sum() - np.trace(kbb)) / (n * (n - 1)) - 2 * kab.mean()
    )


def test_fid_and_kid_are_their_formulas() -> None:
    scores = score_distributions(REAL, OTHER)
    assert (scores.real, scores.generated) == (40, 40)
    assert scores.fid == pytest.approx(frechet(REAL.numpy(), OTHER.numpy()), rel=1e-4)
    # subsets as large as the sets are the sets
    assert scores.kid == pytest.approx(kernel_distance(REAL.numpy(), OTHER.numpy()), rel=1e-6)
    assert np.isnan(scores.kid_deviation)
    assert score_distributions(REAL, OTHER[:30]).kid_deviation > 0


def test_a_set_does_not_differ_from_itself() -> None:
    scores = score_distributions(REAL, REAL)
    assert scores.fid == pytest.approx(0, abs=1e-6)
    assert scores.kid == pytest.approx(kernel_distance(REAL.numpy(), REAL.numpy()), rel=1e-6)
    assert scores.kid < 0


def test_kid_depends_on_the_seed_alone_and_leaves_the_random_state_alone() -> None:
    more = compute_features([pictures(60, 3)], SmallNet())
    state = torch.random.get_rng_state()
    first, again, other = (score_distributions(more, OTHER, seed) for seed in (1, 1, 2))
    assert first == again
    assert first.kid != other.kid
    assert torch.equal(torch.random.get_rng_state(), state)


def test_features_do_not_depend_on_batches() -> None:
    images = pictures(20, 4)
    torch.testing.assert_close(
        compute_features(batches(images), SmallNet()), compute_features([images], SmallNet())
    )


@pytest.mark.parametrize("net", [SmallNet(), Published()])
def test_a_network_is_loaded_from_torchscript(net: nn.Module, tmp_path: Path) -> None:
    path = tmp_path / "features.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.script(net).save(path)
    images = pictures(5, 5)
    torch.testing.assert_close(
        compute_features([images], load_feature_net(path)), SmallNet()(images).double()
    )


def test_a_file_that_is_no_network_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        load_feature_net(tmp_path / "inception.pt")
    path = tmp_path / "weights.pt"
    torch.save({"weight": torch.zeros(3)}, path)
    with pytest.raises(InputError, match="not a TorchScript file"):
        load_feature_net(path)


@pytest.mark.parametrize(
    "images", [pictures(4, 6)[:, :1], pictures(4, 6).float(), pictures(4, 6)[0]]
)
def test_other_pictures_are_refused(images: Tensor) -> None:
    with pytest.raises(InputError, match="8-bit RGB"):
        compute_features([images], SmallNet())


def test_a_network_without_one_vector_a_picture_is_refused() -> None:
    with pytest.raises(InputError, match="not a feature network"):
        compute_features([pictures(4, 7)], lambda images: images.float())


def test_sets_too_small_or_unlike_are_refused() -> None:
    with pytest.raises(InputError, match="no pictures"):
        compute_features([], SmallNet())
    for real, generated in ((REAL[:1], OTHER), (REAL, OTHER[:, :3])):
        with pytest.raises(InputError, match="cannot be compared"):
            score_distributions(real, generated)


def test_without_torchmetrics_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchmetrics.image.fid", None)
    with pytest.raises(MissingExtraError, match=r"stainbridge\[metrics\]"):
        score_distributions(REAL, OTHER)
