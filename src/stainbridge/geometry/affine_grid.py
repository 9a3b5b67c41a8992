"""Sampling grids of affine maps for `grid_sample`, with the gradient written out.

`torch.nn.functional.affine_grid` multiplies every pixel by a 2 x 3 matrix. Multiplying the rows and
the columns alone gives the same at a quarter of the cost.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import Function


def affine_grid(matrices: Tensor, height: int, width: int) -> Tensor:
    """Return the sampling grid, (N, H, W, 2), of affine maps (N, 2, 3).

    As torch's with `align_corners=False`: −1 and 1 are the picture's outer edges.
    """
    grid: Tensor = _AffineGrid.apply(
        matrices, _centres(width, matrices), _centres(height, matrices)
    )  # type: ignore[no-untyped-call]
    return grid


def _centres(count: int, like: Tensor) -> Tensor:
    return (2 * torch.arange(count, dtype=like.dtype, device=like.device) + 1) / count - 1


class _AffineGrid(Function):
    @staticmethod
    def forward(ctx: Any, matrices: Tensor, x: Tensor, y: Tensor) -> Tensor:
        ctx.save_for_backward(x, y)
        across = matrices[:, :, 0, None] * x
        down = matrices[:, :, 1, None] * y + matrices[:, :, 2, None]
        grid = matrices.new_empty(len(matrices), len(y), len(x), 2)
        for axis in (0, 1):
            torch.add(down[:, axis, :, None], across[:, axis, None, :], out=grid[..., axis])
        return grid

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        x, y = ctx.saved_tensors
        row_sums = grads[0].sum(2)
        column_sums = grads[0].sum(1)
        gradient = (
            (column_sums * x[:, None]).sum(1),
            (row_sums * y[:, None]).sum(1),
            row_sums.sum(1),
        )
        return torch.stack(gradient, -1), None, None
