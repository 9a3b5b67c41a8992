"""Generators and discriminators of picture translation."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from stainbridge.errors import InputError
from stainbridge.nn.coarse_to_fine_generator import CoarseToFineConfig
from stainbridge.nn.generators import GeneratorConfig, build_generator
from stainbridge.nn.multiscale_discriminator import (
    MultiscaleDiscriminator,
    MultiscaleDiscriminatorConfig,
)
from stainbridge.nn.patchgan import PatchGAN, PatchGANConfig
from stainbridge.nn.resnet_generator import ResNetConfig, ResNetGenerator
from stainbridge.nn.unet_generator import UNetConfig
from stainbridge.settings import build

TINY: dict[str, GeneratorConfig] = {
    "resnet": ResNetConfig(width=4, blocks=2),
    "resnet-antialias": ResNetConfig(width=4, blocks=2, antialias=True),
    "resnet-batch": ResNetConfig(width=4, blocks=2, norm="batch", dropout=0.5),
    "unet": UNetConfig(width=4, halvings=5),
    "unet-instance": UNetConfig(width=4, halvings=3, norm="instance"),
    "coarse-to-fine": CoarseToFineConfig(
        coarse=ResNetConfig(width=8, blocks=1, halvings=2), enhancers=2, blocks=1
    ),
    "coarse-alone": CoarseToFineConfig(
        coarse=ResNetConfig(width=4, blocks=1, halvings=2), enhancers=0
    ),
}
#: Synth-by-Reg's generator.
SYNTH_BY_REG = ResNetConfig(
    width=32,
    blocks=6,
    halvings=3,
    source_channels=1,
    target_channels=1,
    antialias=True,
    output="sigmoid",
)


def millions(network: nn.Module) -> float:
    return sum(parameter.numel() for parameter in network.parameters()) / 1e6


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (ResNetConfig.preset("paper"), 11.378),
        (ResNetConfig(norm="batch"), 11.383),
        (SYNTH_BY_REG, 7.859),
        (UNetConfig.preset("paper"), 54.414),
        (CoarseToFineConfig(enhancers=0), 182.5),
        (ResNetConfig.preset("small"), 0.35),
        (UNetConfig.preset("small"), 1.83),
        (CoarseToFineConfig.preset("small"), 1.4),
    ],
)
def test_generators_have_as_many_parameters_as_published(
    config: GeneratorConfig, expected: float
) -> None:
    with torch.device("meta"):
        assert millions(build_generator(config)) == pytest.approx(
            expected, rel=0.03 if expected < 10 else 0.001
        )


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (PatchGANConfig(), 2.765),
        (PatchGANConfig(channels=6, norm="batch"), 2.769),
        (PatchGANConfig.preset("small"), 0.1751),
    ],
)
def test_discriminators_have_as_many_parameters_as_published(
    config: PatchGANConfig, expected: float
) -> None:
    with torch.device("meta"):
        assert millions(PatchGAN(config)) == pytest.approx(expected, rel=0.001)
        three = MultiscaleDiscriminator(MultiscaleDiscriminatorConfig(patch=config))
        assert millions(three) == pytest.approx(3 * expected, rel=0.001)


@pytest.mark.parametrize("name", list(TINY))
def test_pictures_in_range_of_the_size_that_came_in_and_gradients_everywhere(name: str) -> None:
    torch.manual_seed(0)
    network = build_generator(TINY[name])
    made = network(2 * torch.rand(2, 3, 32, 64) - 1)
    assert made.shape == (2, 3, 32, 64)
    assert made.abs().max() <= 1
    assert made.std() > 0
    made.square().sum().backward()
    assert [key for key, p in network.named_parameters() if p.grad is None] == []


@pytest.mark.parametrize("name", list(TINY))
def test_channels_may_differ(name: str) -> None:
    values = TINY[name].__dict__
    channels = {"source_channels": 1, "target_channels": 2}
    coarse = {"coarse": ResNetConfig(width=8, blocks=1, source_channels=1, target_channels=2)}
    network = build_generator(
        type(TINY[name])(**(values | (coarse if "coarse" in values else channels)))
    )
    assert network(torch.rand(2, 1, 32, 32)).shape == (2, 2, 32, 32)


@pytest.mark.parametrize("name", list(TINY))
def test_weights_begin_small(name: str) -> None:
    torch.manual_seed(0)
    layers = [
        m
        for m in build_generator(TINY[name]).modules()
        if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)
    ]
    weights = torch.cat([layer.weight.detach().flatten() for layer in layers])
    assert float(weights.std()) == pytest.approx(0.02, rel=0.05)
    assert all(layer.bias is None or not layer.bias.any() for layer in layers)


def test_normalisation_is_the_papers() -> None:
    kinds = {
        name: {type(m).__name__ for m in build_generator(config).modules()}
        for name, config in TINY.items()
    }
    for name, other in (
        ("resnet", "BatchNorm2d"),
        ("unet", "InstanceNorm"),
        ("coarse-to-fine", "BatchNorm2d"),
    ):
        assert other not in kinds[name]
    assert "InstanceNorm" in kinds["resnet"] & kinds["coarse-to-fine"]
    assert "BatchNorm2d" in kinds["unet"]


@pytest.mark.parametrize("name", list(TINY))
def test_sides_that_cannot_be_halved_are_refused(name: str) -> None:
    network = build_generator(TINY[name])
    with pytest.raises(InputError, match=f"multiples of {network.period}"):
        network(torch.rand(1, 3, 32 + network.period // 2, 32))


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        (ResNetConfig, {"blocks": 0}),
        (ResNetConfig, {"dropout": 1.0}),
        (UNetConfig, {"halvings": 1}),
        (UNetConfig, {"dropout": -0.5}),
        (PatchGANConfig, {"halvings": 0}),
        (MultiscaleDiscriminatorConfig, {"scales": 0}),
        (CoarseToFineConfig, {"enhancers": -1}),
        (CoarseToFineConfig, {"enhancers": 7}),
    ],
)
def test_impossible_networks_are_refused(kind: type, wrong: dict[str, object]) -> None:
    with pytest.raises(InputError):
        kind(**wrong)


def test_features_for_contrast_come_from_the_picture_down() -> None:
    torch.manual_seed(0)
    config = ResNetConfig(width=4, blocks=3)
    network = ResNetGenerator(config)
    pictures = torch.rand(1, 3, 32, 32)
    features = network.features(pictures)
    assert tuple(x.shape[1] for x in features) == network.feature_channels == (3, 8, 16, 16, 16)
    assert [x.shape[-1] for x in features] == [32, 16, 8, 8, 8]
    assert torch.equal(features[0], pictures)
    assert torch.allclose(network.head(network.up(features[-1])), network(pictures))


def test_features_of_synth_by_regs_generator_halve_and_its_pictures_are_0_to_1() -> None:
    torch.manual_seed(0)
    network = ResNetGenerator(replace(SYNTH_BY_REG, width=4))
    pictures = torch.rand(2, 1, 32, 48)
    features = network.features(pictures)
    assert tuple(x.shape[1] for x in features) == network.feature_channels == (1, 8, 16, 32, 32, 32)
    assert [x.shape[-2:] for x in features[1:4]] == [(16, 24), (8, 12), (4, 6)]
    made = network(pictures).detach()
    assert made.shape == pictures.shape
    assert 0 < float(made.min()) < float(made.max()) < 1


@pytest.mark.parametrize("antialias", [False, True])
def test_weights_have_the_same_names_with_and_without_filters(antialias: bool) -> None:
    """Files of weights hold no filter, and old configurations name none."""
    values = {"kind": "resnet", "width": 4, "blocks": 1}
    config = build(ResNetConfig, values | ({"antialias": True} if antialias else {}), "old.yaml")
    assert config.antialias is antialias
    names = set(build_generator(config).state_dict())
    assert not any("kernel" in name for name in names)
    assert {"stem.1.weight", "down.0.0.weight", "head.1.weight"} <= names
    assert ("up.0.1.weight" if antialias else "up.0.0.weight") in names


@pytest.mark.parametrize("antialias", [False, True])
def test_an_output_pixel_depends_on_no_more_than_its_reach(antialias: bool) -> None:
    """Normalisation aside, in evaluation with batch statistics."""
    torch.manual_seed(0)
    network = ResNetGenerator(
        ResNetConfig(width=4, blocks=1, norm="batch", source_channels=1, antialias=antialias)
    ).eval()
    side = 128
    picture = torch.rand(1, 1, side, side, requires_grad=True)
    network(picture)[0, :, side // 2, side // 2].sum().backward()
    assert picture.grad is not None
    seen = (picture.grad[0, 0].nonzero() - side // 2).abs().max()
    assert 0.5 * network.reach < int(seen) <= network.reach


def test_an_enhancer_adds_what_the_coarse_generator_cannot_see() -> None:
    torch.manual_seed(0)
    network = build_generator(TINY["coarse-to-fine"])
    checks = (
        (torch.arange(32)[:, None] + torch.arange(32)[None]) % 2 * 0.5
    )  # every 3 x 3 mean is nearly alike
    assert (
        network(checks.expand(1, 3, 32, 32)) - network(torch.full((1, 3, 32, 32), 0.25))
    ).abs().max() > 1e-4


def test_a_patch_is_seventy_pixels() -> None:
    """Normalisation, which sees all, aside."""
    torch.manual_seed(0)
    network = PatchGAN(PatchGANConfig(width=2, channels=1))
    layers = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    picture = torch.rand(1, 1, 128, 128, requires_grad=True)
    scores: torch.Tensor = nn.Sequential(*layers)(picture)
    assert scores.shape[-2:] == (14, 14)
    scores[0, 0, 7, 7].backward()
    assert picture.grad is not None
    seen = picture.grad[0, 0].nonzero()
    assert (seen.max(0).values - seen.min(0).values + 1).tolist() == [70, 70]


def test_discriminators_show_their_features_and_score_last() -> None:
    torch.manual_seed(0)
    config = MultiscaleDiscriminatorConfig(
        scales=2, patch=PatchGANConfig(width=4, channels=6, padding=2)
    )
    network = MultiscaleDiscriminator(config)
    pictures = torch.rand(1, 6, 64, 64)
    fine, coarse = network.features(pictures)
    assert [x.shape[1] for x in fine] == [x.shape[1] for x in coarse] == [4, 8, 16, 32, 1]
    assert fine[0].shape[-1] == 2 * coarse[0].shape[-1] - 1
    for scores, features in zip(network(pictures), (fine, coarse), strict=True):
        assert torch.equal(scores, features[-1])


def test_pictures_with_other_channels_cannot_be_judged() -> None:
    with pytest.raises(InputError, match="expected 6; got 3"):
        PatchGAN(PatchGANConfig(width=2, channels=6))(torch.rand(1, 3, 64, 64))
