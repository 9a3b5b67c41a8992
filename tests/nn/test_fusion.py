"""Networks that compute the same in fewer passes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from stainbridge.nn.fusion import fuse_for_inference
from stainbridge.nn.generators import GeneratorConfig, build_generator
from stainbridge.nn.resnet_generator import ResNetConfig
from stainbridge.nn.unet_generator import UNetConfig
from stainbridge.translation.inference.slide_statistics import freeze_statistics

NETWORKS: dict[str, GeneratorConfig] = {
    "batch": ResNetConfig(width=4, blocks=2, norm="batch", dropout=0.5),
    "instance": ResNetConfig(width=4, blocks=2),
    "antialias": ResNetConfig(width=4, blocks=2, antialias=True),
    "unet": UNetConfig(width=4, halvings=3),
}


def pictures(seed: int) -> Tensor:
    return torch.rand(2, 3, 32, 48, generator=torch.Generator().manual_seed(seed)) * 2 - 1


@pytest.mark.parametrize("name", NETWORKS)
def test_a_fused_network_computes_the_same(name: str) -> None:
    torch.manual_seed(0)
    network = build_generator(NETWORKS[name])
    for _ in range(30):
        network.train()(pictures(1))  # statistics become those of these pictures
    frozen = freeze_statistics(network.eval(), pictures(2))
    before = {key: value.clone() for key, value in frozen.state_dict().items()}
    fused = fuse_for_inference(frozen)
    with torch.inference_mode():
        wanted = frozen(pictures(3))
        given = pictures(3).contiguous(memory_format=torch.channels_last)
        assert torch.allclose(fused(given), wanted, atol=1e-5)
        assert torch.equal(given, pictures(3))
    assert wanted.std() > 1e-2
    assert all(torch.equal(value, before[key]) for key, value in frozen.state_dict().items())


def test_normalisations_become_part_of_convolutions() -> None:
    fused = fuse_for_inference(build_generator(NETWORKS["batch"]))
    assert not any(isinstance(module, nn.BatchNorm2d) for module in fused.modules())


def test_what_is_handed_in_is_not_overwritten() -> None:
    chain = fuse_for_inference(nn.Sequential(nn.Identity(), nn.ReLU(), nn.Conv2d(1, 1, 1)))
    given = torch.tensor([[[[-1.0, 1.0]]]])
    with torch.inference_mode():
        chain(given)
    assert given.tolist() == [[[[-1.0, 1.0]]]]


def test_a_convolution_of_another_chain_is_left_alone() -> None:
    """Its output may be used elsewhere."""
    first = nn.Sequential(nn.Conv2d(1, 1, 1))
    fused = fuse_for_inference(nn.Sequential(first, nn.BatchNorm2d(1)))
    assert isinstance(fused[1], nn.BatchNorm2d)
