"""The perceptrons that turn features at places into the vectors PatchNCE compares.

Park et al. 2020, "Contrastive learning for unpaired image-to-image translation", arXiv:2007.15651,
section 3.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn.functional import normalize

from stainbridge.nn.normalisation import initialise_weights


class PatchProjection(nn.Module):
    """One two-layer perceptron for each layer of features, to unit vectors of length `width`.

    `channels` are those of each layer.
    """

    def __init__(self, channels: Sequence[int], width: int = 256) -> None:
        super().__init__()
        self.perceptrons = nn.ModuleList(
            nn.Sequential(nn.Linear(before, width), nn.ReLU(), nn.Linear(width, width))
            for before in channels
        )
        initialise_weights(self)

    def forward(self, features: Sequence[Tensor], places: Sequence[Tensor]) -> list[Tensor]:
        """Return the vectors, (N, P, width), of features (N, C, h, w) at places (P,).

        A place is the number of a pixel in reading order.
        """
        layers = zip(self.perceptrons, features, places, strict=True)
        return [
            normalize(perceptron(x.flatten(2)[..., place].transpose(1, 2)), dim=-1)
            for perceptron, x, place in layers
        ]
