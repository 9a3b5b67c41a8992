"""The displacement fields that every deformable network returns, for pictures of any size."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stainbridge.errors import InputError


@dataclass(frozen=True, eq=False)
class Term:
    """One of the displacement fields that a network is trained on."""

    displacement: Tensor
    """The field, (N, 2, H, W) in pixels as (dx, dy)."""
    similarity: float = 1.0
    """Weight of its dissimilarity in the loss."""
    regularity: float = 1.0
    """Weight of its roughness in the loss."""


@dataclass(frozen=True, eq=False)
class Fields:
    """What a deformable network returns; fields take fixed pixels to moving pixels."""

    final: Tensor
    """The result, (N, 2, H, W) in pixels as (dx, dy)."""
    terms: tuple[Term, ...]
    """The fields that are trained on."""
    regular: Tensor | None = None
    """A velocity field (N, 2, h, w) whose roughness is penalised instead of that of `terms`."""


class DeformableNet(nn.Module, ABC):
    """Fixed and moving pictures, (N, 1, H, W) each, to the fields between them."""

    #: Pictures are padded to multiples of this, in pixels. A picture that is shifted by it has its
    #: field shifted by it.
    period: int

    @property
    @abstractmethod
    def reach(self) -> int:
        """How far away, in pixels, a pixel can influence the field, but for the displacement."""

    @abstractmethod
    def fields(self, fixed: Tensor, moving: Tensor) -> Fields:
        """Return the fields of pictures whose sides are multiples of `period`."""

    def forward(self, fixed: Tensor, moving: Tensor) -> Fields:
        """Return the fields of pictures of any size.

        Raises `InputError` when the two differ in size.
        """
        if fixed.shape != moving.shape:
            raise InputError(
                "both pictures must have one size",
                expected=tuple(fixed.shape),
                got=tuple(moving.shape),
            )
        height, width = fixed.shape[-2:]
        down = -height % self.period
        across = -width % self.period
        if not down and not across:
            return self.fields(fixed, moving)
        padded = (F.pad(picture, (0, across, 0, down)) for picture in (fixed, moving))
        fields = self.fields(*padded)
        terms = tuple(
            Term(term.displacement[..., :height, :width], term.similarity, term.regularity)
            for term in fields.terms
        )
        return Fields(fields.final[..., :height, :width], terms, fields.regular)

    def field(self, fixed: Tensor, moving: Tensor) -> Tensor:
        """Return the final displacement alone, (N, 2, H, W) in pixels, without gradients."""
        with torch.inference_mode():
            fields: Fields = self(fixed, moving)
        return fields.final


def make_regression(channels: int) -> nn.Conv2d:
    """Return a 3 x 3 convolution to (dx, dy) with tiny initial weights.

    With it an untrained network is the identity.
    """
    layer = nn.Conv2d(channels, 2, 3, padding=1)
    nn.init.normal_(layer.weight, std=1e-5)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer
