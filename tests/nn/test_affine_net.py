"""The patch-unfolding affine network."""

from __future__ import annotations

from dataclasses import replace
from unittest import mock

import pytest
import torch
from tests.nn.networks import smooth_pictures

from stainbridge.errors import InputError
from stainbridge.nn.affine_net import AffineNet, AffineNetConfig, fold_patches, unfold_patches

TINY = AffineNetConfig(patch_px=32, widths=(8, 16), features=16, groups=4, patch_pool=2, pool=2)


def parameters(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_the_paper_has_slightly_over_thirty_million_parameters() -> None:
    with torch.device("meta"):
        count = parameters(AffineNet(AffineNetConfig.preset("paper")))
        small = parameters(AffineNet(AffineNetConfig.preset("small")))
        reference = parameters(
            AffineNet(AffineNetConfig(widths=(32, 64, 128, 256), features=256, groups=8))
        )
    assert abs(count / 30e6 - 1) < 0.05
    assert 0.3e6 < small < 0.4e6
    assert abs(reference / 5.9e6 - 1) < 0.05


def test_the_paper_normalises_in_groups_and_combines_patches_in_three_dimensions() -> None:
    with torch.device("meta"):
        kinds = {
            type(module).__name__ for module in AffineNet(AffineNetConfig.preset("paper")).modules()
        }
    assert {"GroupNorm", "Conv3d", "PReLU"} <= kinds
    assert not {kind for kind in kinds if kind.startswith("BatchNorm")}


@pytest.mark.parametrize("size", [(128, 128), (70, 100), (100, 150)])
def test_what_is_fitted_to_matches_is_in_the_matrices_units(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    network = AffineNet(replace(TINY, correlation=3)).eval()
    picture = smooth_pictures(*size)[0]
    # what windows say is put in its place: everything is two pixels of half the resolution to the
    # right
    displacement = torch.tensor([2.0, 0.0]).view(1, 2, 1, 1)
    with mock.patch(
        "stainbridge.nn.window_matches.match_windows",
        lambda correlations, *_: displacement.expand(1, 2, *correlations.shape[-2:]),
    ):
        matrix = network(picture, picture)[0]
    shift_px = 4.0
    expected = torch.tensor([[1, 0, shift_px / (max(size) / 2)], [0, 1, 0]])
    assert torch.allclose(matrix, expected, atol=3e-3)


@pytest.mark.parametrize("size", [(32, 32), (20, 50), (97, 130)])
def test_any_size_in_one_pass_and_the_identity_untrained(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    network = AffineNet(TINY).eval()
    matrix = network(torch.rand(2, 1, *size), torch.rand(2, 1, *size))
    assert matrix.shape == (2, 2, 3)
    assert (matrix - torch.eye(2, 3)).abs().max() < 1e-3


def test_pictures_of_a_batch_do_not_know_each_other() -> None:
    torch.manual_seed(0)
    network = AffineNet(TINY).eval()
    torch.nn.init.normal_(network.regress[-1].weight)  # type: ignore[arg-type]
    fixed = torch.rand(3, 1, 70, 50)
    moving = torch.rand(3, 1, 70, 50)
    together = network(fixed, moving)
    assert torch.allclose(together[1:2], network(fixed[1:2], moving[1:2]), atol=1e-4)


def test_one_fixed_picture_does_for_all() -> None:
    torch.manual_seed(0)
    network = AffineNet(replace(TINY, correlation=3)).eval()
    torch.nn.init.normal_(network.regress[-1].weight)  # type: ignore[arg-type]
    fixed = torch.rand(1, 1, 70, 50)
    moving = torch.rand(3, 1, 70, 50)
    assert torch.allclose(
        network(fixed, moving), network(fixed.expand(3, -1, -1, -1), moving), atol=1e-4
    )


def test_gradients_reach_every_parameter() -> None:
    network = AffineNet(TINY)
    network(torch.rand(1, 1, 64, 96), torch.rand(1, 1, 64, 96)).square().sum().backward()
    unreached = [
        name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()
    ]
    assert unreached == []


def test_unfolding_cuts_into_patches_that_do_not_overlap() -> None:
    picture = torch.arange(5 * 7, dtype=torch.float32).view(1, 1, 5, 7)
    patches, rows, columns = unfold_patches(torch.cat([picture, picture + 100]), 4)
    assert (rows, columns) == (2, 2)
    assert patches.shape == (8, 1, 4, 4)
    assert patches.sum() == picture.sum() * 2 + 100 * 35
    assert patches[0, 0, 1, 0] == picture[0, 0, 0, 0]  # one row of padding above, none on the left
    assert patches[5, 0, 1, 0] == picture[0, 0, 0, 4] + 100


def test_folding_undoes_unfolding() -> None:
    picture = torch.rand(2, 3, 8, 12, generator=torch.Generator().manual_seed(0))
    patches, rows, columns = unfold_patches(picture, 4)
    assert torch.equal(fold_patches(patches, rows, columns), picture)


def test_windows_are_found_in_neighbouring_patches() -> None:
    """A shift across the patches' borders is known without any training."""
    torch.manual_seed(0)
    network = AffineNet(replace(TINY, correlation=4)).eval()
    wide = smooth_pictures(128, 140)[0]
    matrix = network(wide[..., :128], wide[..., 4:132])[0]  # fixed pixel x is moving pixel x - 4
    expected = torch.tensor([[1, 0, -4 / 64], [0, 1, 0]])
    assert torch.allclose(matrix, expected, atol=0.01)


def test_pictures_of_two_sizes_are_refused() -> None:
    with pytest.raises(InputError, match="one size"):
        AffineNet(TINY)(torch.rand(1, 1, 32, 32), torch.rand(1, 1, 32, 40))


@pytest.mark.parametrize(
    "wrong", [{"patch_px": 0}, {"groups": 5}, {"widths": ()}, {"correlation": -1}]
)
def test_impossible_networks_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError):
        AffineNetConfig(**wrong)  # type: ignore[arg-type]
