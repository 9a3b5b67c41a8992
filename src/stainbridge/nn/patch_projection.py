"""The perceptrons that turn features at places into the vectors PatchNCE compares.

Park et al. 2020, "Contrastive learning for unpaired image-to-image translation", arXiv:2007.15651,
section 3.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn.functional import normalize

from stainbridge.nn.normalisation import initialise


class PatchProjection(nn.Module):
    """One two-layer perceptron for each layer of features, of `channels` each, to unit vectors of
    length `width`.
    """

    def __init__(self, channels: Sequence[int], width: int = 256) -> None:
        super().__init__()
        self.perceptrons = nn.ModuleList(
            nn.Sequential(nn.Linear(before, width), nn.ReLU(), nn.Linear(width, width))
            for before in channels
        )
        initialise(self)

    def forward(self, features: Sequence[Tensor], places: Sequence[Tensor]) -> list[Tensor]:
        """Features (N, C, h, w) and places (P,), numbers of pixels in reading order, to vectors (N,
        P, width).
        """
        layers = zip(self.perceptrons, features, places, strict=True)
        return [
            normalize(mlp(x.flatten(2)[..., at].transpose(1, 2)), dim=-1) for mlp, x, at in layers
        ]
