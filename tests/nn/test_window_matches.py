"""What windows say of each other, and what is made of it."""

from __future__ import annotations

import torch

from stainbridge.nn.window_matches import WindowMatches, convolve_to_one_channel


def pictures() -> tuple[torch.Tensor, torch.Tensor]:
    """Noise, and the same one to the right; the left half of the second is other noise."""
    fixed, other = torch.rand(2, 1, 1, 64, 96, generator=torch.Generator().manual_seed(0))
    moving = torch.roll(fixed, 1, 3)
    moving[..., :48] = other[..., :48]
    return fixed, moving


def test_windows_that_are_found_again_are_trusted_and_those_that_are_not_are_not() -> None:
    torch.manual_seed(0)
    windows = WindowMatches(3, summary=8)
    with torch.no_grad():
        match = windows(*pictures())
    assert match.features.shape == (1, windows.channels, 64, 96)
    assert torch.allclose(
        match.displacement[..., 20:44, 64:84].mean((2, 3)), torch.tensor([[1.0, 0.0]]), atol=0.02
    )
    assert match.trust[..., 64:84].min() > 4 * match.trust[..., 12:32].max()


def test_neighbours_agree_on_what_the_trusted_say() -> None:
    torch.manual_seed(0)
    with torch.no_grad():
        windows = WindowMatches(3, summary=8)
        match = windows(*pictures())
    border = (
        ...,
        slice(20, 44),
        slice(44, 48),
    )  # windows half in noise: only their neighbours know
    wrong = (match.displacement - torch.tensor([1.0, 0.0]).view(1, 2, 1, 1)).abs()[border].mean()
    assert (windows.smooth_displacement(match) - torch.tensor([1.0, 0.0]).view(1, 2, 1, 1)).abs()[
        border
    ].mean() < 0.5 * wrong


def test_taps_that_are_added_are_the_convolution() -> None:
    torch.manual_seed(0)
    convolution = torch.nn.Conv2d(5, 1, 3, padding=1)
    x = torch.rand(2, 5, 7, 9)
    assert torch.allclose(convolve_to_one_channel(x, convolution), convolution(x), atol=1e-5)
