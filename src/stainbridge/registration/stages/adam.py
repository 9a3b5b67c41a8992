"""Adam with a rate that falls as a cosine, for one tensor.

torch's own optimisers import its compiler at their first use, which takes longer than importing
torch.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

#: Keeps the step finite where the gradient is zero; torch's value.
EPSILON = 1e-8


def minimise(
    parameter: Tensor,
    measure_loss: Callable[[], Tensor],
    steps: int,
    *,
    rate: float,
    last_rate: float,
    betas: tuple[float, float],
) -> None:
    """Change `parameter`, a leaf that requires its gradient, so that the loss becomes less.

    `measure_loss` returns a number. The rate falls from `rate` towards `last_rate` as half a cosine
    (Loshchilov & Hutter 2017, "SGDR", arXiv:1608.03983). The steps are Adam's (Kingma & Ba 2015,
    arXiv:1412.6980): `betas` are how much of the mean gradient and of its mean square is kept.
    """
    mean = torch.zeros_like(parameter)
    mean_square = torch.zeros_like(parameter)
    for step in range(1, steps + 1):
        (gradient,) = torch.autograd.grad(measure_loss(), parameter)
        cosine = math.cos(math.pi * (step - 1) / steps)
        step_rate = last_rate + (rate - last_rate) * (1 + cosine) / 2
        with torch.no_grad():
            mean.lerp_(gradient, 1 - betas[0])
            mean_square.mul_(betas[1]).addcmul_(gradient, gradient, value=1 - betas[1])
            spread = mean_square.sqrt() / math.sqrt(1 - betas[1] ** step) + EPSILON
            parameter.addcdiv_(mean, spread, value=-step_rate / (1 - betas[0] ** step))
