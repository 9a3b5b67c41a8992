"""ESRGAN's networks."""

from __future__ import annotations

import pytest
import torch

from stainbridge.errors import InputError
from stainbridge.nn.rrdb_generator import RRDBConfig, RRDBGenerator, enlarge
from stainbridge.nn.vgg_discriminator import VGGDiscriminator, VGGDiscriminatorConfig


def parameters(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_sizes_are_the_published_ones() -> None:
    with torch.device("meta"):
        assert parameters(RRDBGenerator(RRDBConfig())) == 16_697_987
        assert parameters(VGGDiscriminator(VGGDiscriminatorConfig())) == 14_499_401
    assert parameters(RRDBGenerator(RRDBConfig.preset("small"))) < 500_000
    assert parameters(VGGDiscriminator(VGGDiscriminatorConfig.preset("small"))) < 700_000


@pytest.mark.parametrize("factor", [2, 4])
@pytest.mark.parametrize("skip", [False, True])
def test_pictures_grow(factor: int, skip: bool) -> None:
    network = RRDBGenerator(RRDBConfig(width=4, growth=2, blocks=1, factor=factor, skip=skip))
    assert network(torch.zeros(2, 3, 7, 5)).shape == (2, 3, 7 * factor, 5 * factor)


def test_with_a_skip_it_begins_near_the_enlarged_picture() -> None:
    torch.manual_seed(0)
    network = RRDBGenerator(RRDBConfig(width=8, growth=4, blocks=1, skip=True))
    pictures = torch.rand(1, 3, 8, 8) * 2 - 1
    assert (network(pictures) - enlarge(pictures, 4)).abs().max() < 0.1


def test_what_is_further_than_its_reach_does_not_matter() -> None:
    torch.manual_seed(0)
    network = RRDBGenerator(RRDBConfig(width=4, growth=2, blocks=1, factor=2)).double()
    side = network.reach + 8
    picture = torch.rand(1, 3, side, 6, dtype=torch.float64)
    other = picture.clone()
    other[..., 0, :] += 1
    changed = (network(picture) - network(other)).abs().amax((0, 1, 3))
    assert changed[0] > 0
    assert changed[2 * (network.reach + 1) :].max() == 0


def test_one_score_a_picture_of_one_size() -> None:
    judge = VGGDiscriminator(VGGDiscriminatorConfig(width=4, halvings=2))
    assert judge.config.side_px == 16
    assert judge(torch.zeros(3, 3, 16, 16)).shape == (3, 1)
    with pytest.raises(
        InputError, match=r"cannot judge; expected \(3, 16, 16\); got \(3, 32, 32\)"
    ):
        judge(torch.zeros(3, 3, 32, 32))


def test_what_cannot_be_built() -> None:
    with pytest.raises(InputError, match="2 or 4"):
        RRDBConfig(factor=3)
    with pytest.raises(InputError, match="out of range"):
        RRDBConfig(blocks=0)
    with pytest.raises(InputError, match="out of range"):
        VGGDiscriminatorConfig(halvings=0)
