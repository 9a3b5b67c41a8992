"""What every deformable network puts out, and how any picture size fits it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stainbridge.errors import InputError


@dataclass(frozen=True, eq=False)
class Term:
    """One of the displacement fields a network is trained on, (N, 2, H, W) in pixels, and its
    weights in the loss.
    """

    displacement: Tensor
    similarity: float = 1.0
    regularity: float = 1.0


@dataclass(frozen=True, eq=False)
class Fields:
    """`final` is the result, (N, 2, H, W) in pixels, from fixed to moving; `terms` is what is
    trained on.

    `regular`, where a network has one, is what its smoothness is asked of instead: a velocity field
    (N, 2, h, w).
    """

    final: Tensor
    terms: tuple[Term, ...]
    regular: Tensor | None = None


class DeformableNet(nn.Module, ABC):
    """Fixed and moving pictures, (N, 1, H, W) each, to the fields that take fixed pixels to moving
    ones.
    """

    #: Pictures are padded to multiples of this; shifted by it, a picture has its field shifted
    #: likewise.
    period: int

    @property
    @abstractmethod
    def reach(self) -> int:
        """How far away, in pixels, a picture's pixels can have a say in its field, where
        displacements are small.
        """

    @abstractmethod
    def fields(self, fixed: Tensor, moving: Tensor) -> Fields:
        """The fields of pictures whose sides are multiples of `period`."""

    def forward(self, fixed: Tensor, moving: Tensor) -> Fields:
        """The fields of pictures of any size. Raises `InputError` when the two differ in size."""
        if fixed.shape != moving.shape:
            raise InputError(
                "both pictures must have one size",
                expected=tuple(fixed.shape),
                got=tuple(moving.shape),
            )
        height, width = fixed.shape[-2:]
        down, across = -height % self.period, -width % self.period
        if not down and not across:
            return self.fields(fixed, moving)
        padded = (F.pad(picture, (0, across, 0, down)) for picture in (fixed, moving))
        found = self.fields(*padded)
        terms = tuple(
            Term(t.displacement[..., :height, :width], t.similarity, t.regularity)
            for t in found.terms
        )
        return Fields(found.final[..., :height, :width], terms, found.regular)

    def field(self, fixed: Tensor, moving: Tensor) -> Tensor:
        """The final displacement alone, (N, 2, H, W) in pixels, without gradients."""
        with torch.inference_mode():
            found: Fields = self(fixed, moving)
        return found.final


def regression(channels: int) -> nn.Conv2d:
    """A 3 x 3 convolution to (dx, dy) that begins at almost nothing, so that an untrained network
    is the identity.
    """
    layer = nn.Conv2d(channels, 2, 3, padding=1)
    nn.init.normal_(layer.weight, std=1e-5)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer
