"""The quick affine grid is torch's, and so is its gradient."""

import pytest
import torch
import torch.nn.functional as F

from stainbridge.geometry.affine_grid import affine_grid


@pytest.mark.parametrize("size", [(5, 8), (1, 3), (12, 7)])
def test_it_is_the_grid_of_torch(size: tuple[int, int]) -> None:
    matrices = torch.randn(3, 2, 3, generator=torch.Generator().manual_seed(0))
    expected = F.affine_grid(matrices, [3, 1, *size], align_corners=False)
    torch.testing.assert_close(affine_grid(matrices, *size), expected, atol=1e-6, rtol=0)


def test_the_gradient_is_exact() -> None:
    matrices = torch.randn(
        2, 2, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1), requires_grad=True
    )
    assert torch.autograd.gradcheck(lambda m: affine_grid(m, 4, 6).sin(), (matrices,))
