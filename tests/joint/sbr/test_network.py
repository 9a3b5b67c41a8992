"""Translation and registration as one network of displacement fields."""

from __future__ import annotations

import torch

from stainbridge.joint.sbr.network import RIM_PX, SynthByReg, translate
from stainbridge.nn.resnet_generator import ResNetConfig, ResNetGenerator
from stainbridge.nn.unet_svf import UNetSVF, UNetSVFConfig

NETWORK = UNetSVFConfig(down=(8, 8, 8), up=(8, 8), last=(8,), squarings=4)
GENERATOR = ResNetConfig(
    width=4, blocks=1, halvings=2, source_channels=1, target_channels=1, output="sigmoid"
)


def make_network() -> SynthByReg:
    torch.manual_seed(0)
    registration = UNetSVF(NETWORK)
    torch.nn.init.normal_(registration.last[-1].weight, std=0.05)
    return SynthByReg(registration, ResNetGenerator(GENERATOR)).eval()


def test_the_field_is_that_of_the_translated_picture() -> None:
    network = make_network()
    fixed, moving = torch.rand(2, 1, 1, 64, 64)
    expected = network.registration.field(fixed, network.synthesise(moving))
    assert torch.equal(network.field(fixed, moving), expected)
    assert not torch.equal(network.field(fixed, moving), network.registration.field(fixed, moving))


def test_without_a_generator_it_is_the_registration_network() -> None:
    network = SynthByReg(make_network().registration, None).eval()
    fixed, moving = torch.rand(2, 1, 1, 64, 64)
    assert torch.equal(network.field(fixed, moving), network.registration.field(fixed, moving))
    assert torch.equal(network.synthesise(moving), moving)


def test_pictures_of_any_size_are_registered() -> None:
    network = make_network()
    fixed, moving = torch.rand(2, 1, 1, 50, 71)
    assert network.field(fixed, moving).shape == (1, 2, 50, 71)


def test_translated_pictures_are_black_off_the_tissue_and_its_rim() -> None:
    picture = torch.zeros(1, 1, 32, 32)
    picture[..., 12:20, 12:20] = 0.5
    translated = translate(ResNetGenerator(GENERATOR), picture).detach()
    edge = 12 - RIM_PX
    assert float(translated[..., :edge, :].abs().max()) == 0
    assert float(translated[..., edge:20, 12:20].min()) > 0  # a sigmoid is never 0
