"""SAR's generator and discriminator: shapes, masks of the generator's own maps, gradients."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from stainbridge.errors import InputError
from stainbridge.geometry.flow import warp
from stainbridge.nn.sar_discriminator import SarDiscriminator, SarDiscriminatorConfig
from stainbridge.nn.sar_generator import (
    SarGenerator,
    SarGeneratorConfig,
    fuse_maps,
    stretch_maps,
)

TINY = SarGeneratorConfig(width=4, blocks=2, shrink=2, halvings=1, correlation=2, squarings=3)


def make_pictures(count: int = 2, height: int = 32, width: int = 40) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(5)
    shape = (count, 1, height, width)
    return torch.rand(shape, generator=generator), torch.rand(shape, generator=generator)


def make_generator(config: SarGeneratorConfig = TINY) -> SarGenerator:
    torch.manual_seed(1)
    network = SarGenerator(config)
    torch.nn.init.normal_(network.last.weight, std=0.05)  # untrained it is the identity
    return network


@pytest.mark.parametrize("picture", ["warped", "generated"])
@pytest.mark.parametrize("correlation", [0, 2])
def test_the_shapes_of_all_outputs(picture: str, correlation: int) -> None:
    config = replace(TINY, picture=picture, correlation=correlation)
    reference, floating = make_pictures()
    output = make_generator(config).register(reference, floating)
    assert output.picture.shape == reference.shape
    assert output.displacement.shape == (2, 2, 32, 40)
    assert output.registered_mask.shape == reference.shape
    assert output.masks.hard.shape == (2, 2, 32, 40)
    assert 0 <= float(output.picture.detach().min()) <= float(output.picture.detach().max()) <= 1
    assert torch.equal(output.select(slice(1, 2)).picture, output.picture[1:])


def test_a_warped_picture_is_the_floating_one_through_the_field() -> None:
    reference, floating = make_pictures()
    output = make_generator(replace(TINY, picture="warped")).register(reference, floating)
    expected = warp(floating, output.displacement, "zeros")
    assert torch.equal(output.picture, expected)
    soft = output.masks.soft[:, 1:]
    assert torch.equal(output.registered_mask, warp(soft, output.displacement, "zeros"))


def test_untrained_without_correlations_the_field_is_none() -> None:
    torch.manual_seed(0)
    network = SarGenerator(replace(TINY, correlation=0))
    field = network(*make_pictures()).final
    assert float(field.detach().abs().max()) < 1e-2


def test_masks_are_binary_and_of_the_own_maps() -> None:
    network = make_generator()
    trunk = network.trunk(*make_pictures())
    assert len(trunk.maps) == len(network.stem) + 2 * TINY.blocks == len(network.fusion)
    masks = network.masks(trunk)
    assert masks.hard.dtype == torch.bool
    assert masks.hard.any()
    assert not masks.hard.all()
    assert torch.equal(masks.hard, masks.soft > 0.5)
    with torch.no_grad():  # one map alone, of full weight: the mask is that map's
        network.fusion.zero_()
        network.fusion[-1, 0, 3] = 1.0
        alone = network.masks(trunk)
        shown = torch.nn.functional.interpolate(trunk.maps[-1][:, 3:4], (32, 40), mode="bilinear")
    torch.testing.assert_close(alone.fused[:, :1], stretch_maps(shown), atol=1e-5, rtol=0)


def test_fusing_is_the_weighted_sum_of_normalised_maps() -> None:
    maps = torch.randn(2, 3, 5, 6)
    weights = torch.randn(2, 3)
    expected = torch.einsum("kc,nchw->nkhw", weights, stretch_maps(maps))
    torch.testing.assert_close(fuse_maps(maps, weights), expected)
    assert float(fuse_maps(torch.ones(1, 3, 4, 4), weights).abs().max()) < 1e-6


def test_soft_masks_have_gradients_in_the_fusing_weights_and_in_the_maps() -> None:
    network = make_generator()
    network.register(*make_pictures()).masks.soft.square().mean().backward()
    assert network.fusion.grad is not None
    assert float(network.fusion.grad.abs().max()) > 0
    first = network.stem[0][0].weight.grad
    assert first is not None
    assert float(first.abs().max()) > 0


def test_a_deformable_net_of_any_size_whose_field_moves_with_its_pictures() -> None:
    network = make_generator(replace(TINY, blocks=1)).eval()
    assert network(*make_pictures(1, 33, 41)).final.shape == (1, 2, 33, 41)
    size = 2 * network.reach + 24
    reference, floating = make_pictures(1, size, size)
    step = network.period
    whole = network.field(reference, floating)
    part = network.field(reference[..., step:, step:], floating[..., step:, step:])
    inner = slice(network.reach, -network.reach)
    moved = whole[..., step:, step:]
    torch.testing.assert_close(part[..., inner, inner], moved[..., inner, inner])


def test_pictures_that_do_not_fit_are_refused() -> None:
    network = make_generator()
    with pytest.raises(InputError, match="sides multiples of 4"):
        network.register(*make_pictures(1, 34, 40))
    for wrong in ({"width": 0}, {"dilations": (0,)}, {"halvings": -1}, {"temperature": 0.0}):
        with pytest.raises(InputError, match="out of range"):
            replace(TINY, **wrong)


def test_the_paper_presets_have_the_paper_numbers() -> None:
    generator = SarGeneratorConfig.preset("paper")
    assert (generator.width, generator.dilations, generator.halvings) == (64, (1,), 0)
    assert (generator.correlation, generator.squarings, generator.picture) == (0, 0, "generated")
    with torch.device("meta"):
        discriminator = SarDiscriminator(SarDiscriminatorConfig.preset("paper"))
        assert SarGenerator(generator).reach >= 20
    convolutions = [layer for layer in discriminator.layers if isinstance(layer, torch.nn.Conv2d)]
    assert [layer.out_channels for layer in convolutions] == [64, 64, 128, 128, 256, 256, 512, 512]
    assert [layer.stride[0] for layer in convolutions] == [1, 1, 2, 1, 2, 1, 2, 1]
    dense = [layer for layer in discriminator.dense if isinstance(layer, torch.nn.Linear)]
    assert len(dense) == 2


@pytest.mark.parametrize("size", [(24, 40), (31, 33)])
def test_the_discriminator_judges_pictures_of_any_size(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    config = SarDiscriminatorConfig(widths=(4, 4, 8, 8), features_px=2, hidden=4, shrink=2)
    network = SarDiscriminator(config)
    pictures, _ = make_pictures(3, *size)
    scores = network(pictures)
    assert scores.shape == (3, 1)
    assert torch.allclose(network.judge(pictures), scores.sigmoid())
    with pytest.raises(InputError, match="out of range"):
        replace(config, hidden=0)
