"""Instance normalisation with the statistics of many tiles."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from stainbridge.nn.coarse_to_fine_generator import CoarseToFineConfig
from stainbridge.nn.generators import GeneratorConfig, build_generator
from stainbridge.nn.resnet_generator import ResNetConfig
from stainbridge.nn.unet_generator import UNetConfig
from stainbridge.translation.inference.slide_statistics import freeze_statistics, normalises_tiles

NETWORKS = {
    "resnet": ResNetConfig(width=4, blocks=2),
    "unet": UNetConfig(width=4, halvings=3, norm="instance"),
    "coarse-to-fine": CoarseToFineConfig(
        coarse=ResNetConfig(width=4, halvings=1, blocks=1), blocks=1
    ),
}


@pytest.mark.parametrize("config", NETWORKS.values(), ids=NETWORKS)
def test_one_tile_s_statistics_give_what_instance_norm_gives(config: GeneratorConfig) -> None:
    torch.manual_seed(0)
    network = build_generator(config).eval()
    tile = torch.rand(1, 3, 64, 64) * 2 - 1
    with torch.no_grad():
        frozen = freeze_statistics(network, tile)(tile)
        # Running variances are unbiased ones: on the few pixels of the lowest layers that is a
        # little more.
        assert (frozen - network(tile)).abs().max() < 0.03


@pytest.mark.parametrize("config", NETWORKS.values(), ids=NETWORKS)
def test_what_is_far_away_no_longer_matters(config: GeneratorConfig) -> None:
    torch.manual_seed(0)
    network = build_generator(config).eval()
    side = 2 * network.reach + 3 * network.period
    side += -side % network.period
    sample = torch.rand(3, 3, 64, 64) * 2 - 1
    frozen = freeze_statistics(network, sample)
    picture = torch.rand(1, 3, side, side) * 2 - 1
    other = picture.clone()
    other[..., 0, 0] = -other[..., 0, 0]
    beyond = network.reach + 1
    with torch.no_grad():
        near, far = ((frozen(picture) - frozen(other)).abs()[0, :, y, y].max() for y in (0, beyond))
        assert near > 0
        assert far < 1e-6
        assert (frozen(picture) - frozen(other)).abs()[..., beyond:, :].max() < 1e-6
        assert (network(picture) - network(other)).abs()[..., beyond:, :].max() > 1e-6


def test_statistics_are_those_of_all_tiles_layer_by_layer() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 4, 1),
        nn.InstanceNorm2d(4),
        nn.ReLU(),
        nn.Conv2d(4, 2, 1),
        nn.InstanceNorm2d(2),
    )
    tiles = torch.randn(5, 3, 8, 8)
    with torch.no_grad():
        made = freeze_statistics(network, tiles)(tiles)
    assert made.mean((0, 2, 3)).tolist() == pytest.approx([0, 0], abs=1e-2)
    assert made.std((0, 2, 3)).tolist() == pytest.approx([1, 1], abs=1e-2)


def test_the_network_stays_as_it_is() -> None:
    network = build_generator(ResNetConfig(width=4, blocks=1)).eval()
    frozen = freeze_statistics(network, torch.rand(2, 3, 16, 16))
    assert normalises_tiles(network)
    assert not normalises_tiles(frozen)
    assert not any(module.training for module in frozen.modules())


def test_batch_norm_needs_no_slide() -> None:
    assert not normalises_tiles(build_generator(ResNetConfig(width=4, blocks=1, norm="batch")))
