"""Low-pass filters around a change of resolution."""

from __future__ import annotations

import torch

from stainbridge.nn.antialias import BlurPool, BlurUpsample


def test_the_finest_checks_become_grey_where_plain_decimation_keeps_them() -> None:
    checks = (torch.arange(16)[:, None] + torch.arange(16)[None]) % 2 * 1.0
    stripes = (torch.arange(16) % 2 * 1.0).expand(16, 16)
    for picture in (checks, stripes):
        pooled = BlurPool()(picture[None, None])
        assert pooled.shape == (1, 1, 8, 8)
        assert torch.allclose(pooled, torch.full_like(pooled, 0.5))
        assert set(stripes[::2, ::2].flatten().tolist()) == {0.0}


def test_channels_do_not_mix_and_constants_stay() -> None:
    levels = torch.tensor([0.2, -3.0, 7.0]).view(1, 3, 1, 1)
    for layer, side in ((BlurPool(), 4), (BlurUpsample(), 16)):
        changed = layer(levels.expand(2, 3, 8, 8))
        assert changed.shape == (2, 3, side, side)
        assert torch.allclose(changed, levels.expand_as(changed))


def test_a_pool_is_the_binomial_mean_about_every_second_pixel() -> None:
    picture = torch.rand(1, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    weights = torch.tensor([[1.0, 2, 1], [2, 4, 2], [1, 2, 1]]) / 16
    wanted = (picture[0, 0, 1:4, 3:6] * weights).sum()
    assert torch.allclose(BlurPool()(picture)[0, 0, 1, 2], wanted)


def test_upsampling_is_the_published_filter() -> None:
    """One pixel becomes the outer product of (1, 3, 3, 1) / 4, as in Zhang's `Upsample`."""
    impulse = torch.zeros(1, 1, 6, 6)
    impulse[..., 3, 3] = 1
    line = torch.tensor([1.0, 3, 3, 1]) / 4
    spread = BlurUpsample()(impulse)[0, 0]
    assert torch.allclose(spread[5:9, 5:9], torch.outer(line, line))
    assert float(spread.sum()) == 4


def test_filters_are_no_weights() -> None:
    assert not BlurPool().state_dict()
    assert not list(BlurPool().parameters())
