"""The deformable networks."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tests.nn.networks import TINY, build_active_network, smooth_pictures

from stainbridge.errors import InputError
from stainbridge.geometry.field import jacobian_determinant
from stainbridge.nn.deformable import build_deformable, deformable_preset
from stainbridge.nn.dirnet import DirNetConfig, cubic_b_spline
from stainbridge.nn.fcn import FCNConfig
from stainbridge.nn.fields import DeformableNet
from stainbridge.nn.flownet_s import FlowNetS, FlowNetSConfig
from stainbridge.nn.multiscale_fcn import MultiscaleFCN, MultiscaleFCNConfig
from stainbridge.nn.networks import DEFORMABLE_NETWORKS
from stainbridge.nn.unet_svf import UNetSVF, UNetSVFConfig


@pytest.fixture(params=list(TINY))
def network(request: pytest.FixtureRequest) -> DeformableNet:
    torch.manual_seed(1)
    return build_deformable(TINY[request.param])


@pytest.mark.parametrize("size", [(64, 64), (50, 71)])
def test_any_size_and_the_identity_untrained(network: DeformableNet, size: tuple[int, int]) -> None:
    fields = network(torch.rand(2, 1, *size), torch.rand(2, 1, *size))
    assert fields.final.shape == (2, 2, *size)
    assert all(term.displacement.shape == (2, 2, *size) for term in fields.terms)
    correlating = isinstance(network, UNetSVF | MultiscaleFCN) and network.config.correlation
    assert fields.final.abs().max() < (
        8.1 if correlating else 0.05
    )  # windows: a pixel at a quarter, two at half


def test_gradients_reach_every_parameter(network: DeformableNet) -> None:
    fields = network(torch.rand(2, 1, 64, 64), torch.rand(2, 1, 64, 64))
    sum(term.displacement.square().mean() for term in fields.terms).backward()  # type: ignore[union-attr]
    unreached = [
        name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()
    ]
    assert unreached == []


@pytest.mark.parametrize("name", list(TINY))
def test_a_picture_shifted_by_the_period_has_its_field_shifted(name: str) -> None:
    network = build_active_network(TINY[name])
    step = network.period
    size = 24 * network.period
    fixed, moving = smooth_pictures(size, size)
    with torch.no_grad():
        whole = network(fixed, moving).final
        part = network(fixed[..., step:, step:], moving[..., step:, step:]).final
    middle = slice(11 * step, 13 * step)
    assert whole.abs().max() > 1
    assert torch.allclose(
        whole[..., 12 * step : 14 * step, 12 * step : 14 * step],
        part[..., middle, middle],
        atol=2e-2,
    )


@pytest.mark.parametrize("name", list(TINY))
def test_what_lies_beyond_the_reach_has_no_say(name: str) -> None:
    network = build_active_network(TINY[name])
    network.eval()
    edge = 64
    step = 4 * network.period
    width = -(-(edge + network.reach + 96) // step) * step
    fixed, moving = smooth_pictures(64, width)
    other = moving.clone()
    other[..., :edge] = 1 - other[..., :edge]
    with torch.no_grad():
        change = (network(fixed, other).final - network(fixed, moving).final).abs().amax((0, 1, 2))
    assert change[:edge].max() > 0.1
    assert change[edge + network.reach :].max() < 1e-3


def test_pictures_of_two_sizes_are_refused(network: DeformableNet) -> None:
    with pytest.raises(InputError, match="one size"):
        network(torch.rand(1, 1, 64, 64), torch.rand(1, 1, 64, 32))


def test_three_joint_models_with_the_papers_weights() -> None:
    network = MultiscaleFCN(MultiscaleFCNConfig.preset("paper"))
    fields = network(torch.rand(1, 1, 32, 32), torch.rand(1, 1, 32, 32))
    assert [term.similarity for term in fields.terms] == [0.9, 0.6, 0.3, 0.05, 0.05]
    assert [term.regularity for term in fields.terms] == [0.9, 0.6, 0.3, 0, 0]
    assert fields.final is fields.terms[-1].displacement
    assert all(
        len(model.regressor.regress) == 3
        for model in (network.first, network.second, network.third)
    )


def test_the_velocity_has_half_the_resolution_and_its_flow_does_not_fold() -> None:
    network = build_active_network(UNetSVFConfig(down=(4, 6, 8), up=(8, 6), last=(4,)), amount_px=5)
    assert isinstance(network, UNetSVF)
    fixed, moving = smooth_pictures(64, 64)
    with torch.no_grad():
        fields = network(fixed, moving)
        assert network.velocity(fixed, moving).shape == (1, 2, 32, 32)
    assert fields.final.abs().max() > 3
    assert jacobian_determinant(fields.final[0].numpy(), (1.0, 1.0)).min() > 0


def test_flownet_has_nine_convolutions_and_a_field_of_each_scale() -> None:
    with torch.device("meta"):
        network = FlowNetS(FlowNetSConfig.preset("paper"))
        fields = network(torch.rand(1, 1, 128, 192), torch.rand(1, 1, 128, 192))
    convolutions = [layer for layer in network.down.modules() if isinstance(layer, torch.nn.Conv2d)]
    assert [layer.kernel_size[0] for layer in convolutions] == [7, 5, 5, 3, 3, 3, 3, 3, 3]
    assert [layer.stride[0] for layer in convolutions] == [2, 2, 2, 1, 2, 1, 2, 1, 2]
    assert sum(p.numel() for p in network.parameters()) == pytest.approx(29.2e6, rel=0.01)
    assert [term.similarity for term in fields.terms] == [0.25, 0.25, 0.25, 0.5, 1.0]
    assert [term.regularity for term in fields.terms] == [0.25, 0.25, 0.25, 0.5, 1.0]
    assert fields.final is fields.terms[-1].displacement


def test_a_coarse_field_counts_in_pixels_of_the_picture() -> None:
    """A constant of one pixel at a sixteenth is sixteen pixels, whatever refines it."""
    network = FlowNetS(FlowNetSConfig(widths=(4, 4, 4, 4), up=(4, 4), scale_weights=(1, 1, 1)))
    for layer in network.regress:
        torch.nn.init.zeros_(layer.weight)
        torch.nn.init.ones_(layer.bias)
    fields = network(torch.rand(1, 1, 64, 64), torch.rand(1, 1, 64, 64))
    levels = [term.displacement.detach() for term in fields.terms]
    assert [float(level.mean()) for level in levels] == [16, 8, 4]
    assert all(level.min() == level.max() for level in levels)


@pytest.mark.parametrize("spacing", [2, 8])
def test_b_splines_keep_a_constant_and_a_slope(spacing: int) -> None:
    points = torch.stack([torch.full((6, 9), 3.0), torch.arange(9.0).expand(6, 9)])[None]
    dense = cubic_b_spline(points, spacing)
    assert dense.shape == (1, 2, 6 * spacing, 9 * spacing)
    assert torch.allclose(dense[:, 0], torch.tensor(3.0), atol=1e-5)
    middle = torch.arange(2 * spacing, 7 * spacing)
    expected = (middle + 0.5) / spacing - 0.5
    assert torch.allclose(dense[0, 1, 0, middle], expected, atol=1e-4)


@pytest.mark.parametrize("name", list(DEFORMABLE_NETWORKS))
def test_presets_by_name(name: str) -> None:
    for preset in ("paper", "small"):
        config: Any = deformable_preset(name, preset)
        assert config.kind == name
        with torch.device("meta"):
            assert sum(p.numel() for p in build_deformable(config).parameters()) > 1e4


@pytest.mark.parametrize(
    "build",
    [
        lambda: FCNConfig(widths=(0, 1, 1)),
        lambda: DirNetConfig(poolings=0),
        lambda: UNetSVFConfig(up=(3,)),
        lambda: UNetSVFConfig(correlation=-1),
        lambda: FlowNetSConfig(up=(3,)),
        lambda: FlowNetSConfig(scale_weights=(1.0,)),
        lambda: FlowNetSConfig(widths=(4, 4), up=(), scale_weights=(1.0,)),
    ],
)
def test_impossible_networks_are_refused(build: Any) -> None:
    with pytest.raises(InputError):
        build()
