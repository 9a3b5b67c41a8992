"""Compare the set of a model's translations with the set of real tiles: FID and KID."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from stainbridge.evaluate.translation import Comparison
from stainbridge.metrics.distributions import (
    DistributionScores,
    FeatureNet,
    compute_features,
    score_distributions,
)
from stainbridge.types import Pixels

#: The key of the real tiles, which no model has as its name.
REAL = ""


@dataclass
class FeatureSets:
    """The features of the real tiles and of each model's; pixels are not kept."""

    net: FeatureNet
    """The network that computes features."""
    _features: dict[str, list[Tensor]] = field(default_factory=lambda: defaultdict(list))

    def add(self, item: Comparison) -> None:
        """Add the features of a tile and its translations."""
        for name, pixels in {REAL: item.pair.target, **item.translations}.items():
            self._features[name].append(compute_features([_rgb(pixels)], self.net))

    def scores(self, seed: int = 0) -> dict[str, DistributionScores]:
        """Return FID and KID of each model."""
        sets = {name: torch.cat(features) for name, features in self._features.items()}
        real = sets.pop(REAL)
        return {name: score_distributions(real, made, seed) for name, made in sets.items()}


def _rgb(pixels: Pixels) -> Tensor:
    coloured = np.repeat(pixels, 3, axis=0) if len(pixels) == 1 else pixels
    return torch.from_numpy(np.ascontiguousarray(coloured))[None]
