"""Regularisers: how rough a displacement field is.

All take (N, 2, H, W) in units of the sample spacing and return (N,) ≥ 0. They sum over both
components and average over samples, with forward differences.
"""

from __future__ import annotations

import torch
from torch import Tensor


def total_variation(u: Tensor, noise: float = 1e-6) -> Tensor:
    """Return the mean of |∇u|, isotropic, so that jumps cost no more than slopes.

    Rudin et al. 1992, doi:10.1016/0167-2789(92)90242-F. `noise`, in the unit of u, rounds the kink
    at 0, where the gradient would not be finite.
    """
    du_dx = _dx(u)[..., :-1, :]
    du_dy = _dy(u)[..., :-1]
    return ((du_dx.square() + du_dy.square()).sum(1) + noise**2).sqrt().mean((1, 2))


def diffusion(u: Tensor) -> Tensor:
    """Return the mean of |∇u|² (Fischer & Modersitzki 2002, "Fast diffusion registration")."""
    return _mean_square(_dx(u)) + _mean_square(_dy(u))


def bending_energy(u: Tensor) -> Tensor:
    """Return the mean of u_xx² + 2 u_xy² + u_yy², which is 0 for affine maps.

    Rueckert et al. 1999, doi:10.1109/42.796284.
    """
    return _mean_square(_dx(_dx(u))) + 2 * _mean_square(_dx(_dy(u))) + _mean_square(_dy(_dy(u)))


def curvature(u: Tensor) -> Tensor:
    """Return the mean of (u_xx + u_yy)².

    Fischer & Modersitzki 2003, "Curvature based image registration", doi:10.1023/A:1021897212261.
    """
    return _mean_square(_dx(_dx(u))[..., 1:-1, :] + _dy(_dy(u))[..., 1:-1])


def _dx(u: Tensor) -> Tensor:
    return torch.diff(u, dim=-1)


def _dy(u: Tensor) -> Tensor:
    return torch.diff(u, dim=-2)


def _mean_square(x: Tensor) -> Tensor:
    """Sum the squares over components and average over samples."""
    return x.square().sum(1).mean((1, 2))
