"""Networks that always say one thing, to see what becomes of it."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from stainbridge.nn.affine_net import AffineNet, AffineNetConfig
from stainbridge.nn.fields import DeformableNet, Fields, Term
from stainbridge.registration.sections.section import Section
from stainbridge.registration.sections.views import frame_tissue
from stainbridge.types import Matrix

CPU = torch.device("cpu")
SMALL_AFFINE = AffineNetConfig(
    patch_px=32, widths=(8, 16), features=16, groups=4, patch_pool=2, pool=2
)


def constant_affine(matrix: Matrix) -> AffineNet:
    """Return a network that always says `matrix`, (2, 3)."""
    network = AffineNet(SMALL_AFFINE).eval()
    last = network.regress[-1]
    assert isinstance(last, nn.Linear)
    nn.init.zeros_(last.weight)
    with torch.no_grad():
        last.bias.copy_(torch.tensor(matrix - np.eye(2, 3)).flatten())
    return network


def start_before(matrix: Matrix, fixed: Section, longest_px: int = 96) -> Matrix:
    """Return the start, (3, 3) in µm, that a network which says `matrix` puts right."""
    view = frame_tissue(fixed, longest_px)
    half = max(view.size_um) / 2
    x, y = view.centre_um
    unit = np.array([[1 / half, 0, -x / half], [0, 1 / half, -y / half], [0, 0, 1.0]])
    said: Matrix = np.linalg.inv(unit) @ np.vstack([matrix, [0, 0, 1]]) @ unit
    return np.asarray(np.linalg.inv(said))


class ShiftNetwork(DeformableNet):
    """Shifts by some pixels to the right; with `fold` the right half of the field jumps back."""

    period = 8
    reach = 16

    def __init__(self, right_px: float, down_px: float = 0.0, fold: bool = False) -> None:
        super().__init__()
        self.shift = (right_px, down_px)
        self.fold = fold

    def fields(self, fixed: Tensor, moving: Tensor) -> Fields:
        shift = torch.tensor(self.shift).view(1, 2, 1, 1)
        field = shift.repeat(len(fixed), 1, *fixed.shape[-2:])
        if self.fold:
            field[..., fixed.shape[-1] // 2 :] -= 30
        return Fields(field, (Term(field),))
