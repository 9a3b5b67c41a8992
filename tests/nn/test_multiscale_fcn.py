"""The three models of the multi-scale FCN see what the paper says, and are put together so."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stainbridge.geometry.flow import compose, resize, warp
from stainbridge.nn.multiscale_fcn import MultiscaleFCN, MultiscaleFCNConfig

SIZE = (64, 96)


class Known(nn.Module):
    """A model whose three fields are known; it keeps what it was shown."""

    def __init__(self, seed: int, amount_px: float) -> None:
        super().__init__()
        self.generator = torch.Generator().manual_seed(seed)
        self.amount_px = amount_px
        self.shown: Tensor | None = None
        self.fields: list[Tensor] = []

    def forward(self, pair: Tensor) -> list[Tensor]:
        self.shown = pair
        coarse = torch.randn(3, len(pair), 2, 3, 4, generator=self.generator) * self.amount_px
        self.fields = [
            F.interpolate(field, size=pair.shape[-2:], mode="bilinear") for field in coarse
        ]
        return self.fields


@pytest.fixture
def network() -> MultiscaleFCN:
    network = MultiscaleFCN(MultiscaleFCNConfig(widths=(4, 4, 4)))
    network.first, network.second, network.third = (  # type: ignore[assignment]
        Known(seed, amount_px) for seed, amount_px in ((1, 2.0), (2, 1.5), (3, 3.0))
    )
    return network


def pictures() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    fixed, moving = torch.rand(2, 1, 1, *SIZE, generator=generator)
    return fixed, moving


def mean_at_full_size(known: Known) -> Tensor:
    return resize(torch.stack(known.fields).mean(0), *SIZE)


def test_scale_2_is_quartered_and_scale_3_halved(network: MultiscaleFCN) -> None:
    fixed, moving = pictures()
    network(fixed, moving)
    pair = torch.cat([fixed, moving], 1)
    assert torch.equal(network.first.shown, pair)  # type: ignore[arg-type]
    assert torch.equal(network.second.shown, F.avg_pool2d(pair, 4))  # type: ignore[arg-type]
    v2 = mean_at_full_size(network.second)  # type: ignore[arg-type]
    closer = torch.cat([fixed, warp(moving, v2)], 1)
    assert torch.allclose(network.third.shown, F.avg_pool2d(closer, 2))  # type: ignore[arg-type]


def test_v3_is_composed_with_v2_and_not_added(network: MultiscaleFCN) -> None:
    fixed, moving = pictures()
    fields = network(fixed, moving)
    v2, rest = (mean_at_full_size(known) for known in (network.second, network.third))  # type: ignore[arg-type]
    assert torch.allclose(fields.final, compose(rest, v2), atol=1e-5)
    assert (fields.final - (rest + v2)).abs().max() > 0.5
    shown = [term.displacement for term in fields.terms]
    assert all(
        torch.equal(v, known) for v, known in zip(shown[:3], network.first.fields, strict=True)
    )  # type: ignore[arg-type]
    assert torch.allclose(shown[3], v2)
    twice = warp(warp(moving, v2), rest)
    inner = (..., slice(12, -12), slice(12, -12))
    assert (warp(moving, fields.final)[inner] - twice[inner]).abs().mean() < 0.1
