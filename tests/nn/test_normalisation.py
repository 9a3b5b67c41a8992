"""Instance normalisation that keeps pictures channels-last."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from stainbridge.nn.normalisation import InstanceNorm, make_normalisation


@pytest.mark.parametrize("count", [1, 3])
def test_it_is_torchs_in_either_layout_and_keeps_the_layout(count: int) -> None:
    x = torch.randn(count, 4, 6, 5, generator=torch.Generator().manual_seed(0))
    wanted = nn.InstanceNorm2d(4)(x)
    last = x.to(memory_format=torch.channels_last)
    normalised = InstanceNorm(4)(last)
    assert torch.allclose(normalised, wanted, atol=1e-5)
    assert normalised.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(InstanceNorm(4)(x), wanted)


def test_gradients_are_torchs_and_evaluation_changes_nothing() -> None:
    weights = torch.randn(2, 4, 6, 5, generator=torch.Generator().manual_seed(1))
    gradients = []
    for layer, layout in (
        (nn.InstanceNorm2d(4), torch.contiguous_format),
        (InstanceNorm(4), torch.channels_last),
    ):
        x = torch.randn(2, 4, 6, 5, generator=torch.Generator().manual_seed(0)).to(
            memory_format=layout
        )
        (layer.eval()(x.requires_grad_()) * weights).sum().backward()
        gradients.append(x.grad)
    assert gradients[0] is not None
    assert gradients[1] is not None
    assert torch.allclose(gradients[0], gradients[1], atol=1e-5)


def test_it_has_nothing_to_store() -> None:
    assert not make_normalisation("instance", 4).state_dict()
