"""Do the pictures a model makes look like real ones, as a set?"""

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
    features_of,
    score_distributions,
)
from stainbridge.types import Pixels

REAL = ""


@dataclass
class FeatureSets:
    """Features of the real pictures and of each model's, of `net`; pictures are not kept."""

    net: FeatureNet
    _found: dict[str, list[Tensor]] = field(default_factory=lambda: defaultdict(list))

    def add(self, item: Comparison) -> None:
        """Take note of a pair."""
        for name, pixels in {REAL: item.pair.target, **item.made}.items():
            self._found[name].append(features_of([_rgb(pixels)], self.net))

    def scores(self, seed: int = 0) -> dict[str, DistributionScores]:
        """FID and KID of each model."""
        sets = {name: torch.cat(found) for name, found in self._found.items()}
        real = sets.pop(REAL)
        return {name: score_distributions(real, made, seed) for name, made in sets.items()}


def _rgb(pixels: Pixels) -> Tensor:
    coloured = np.repeat(pixels, 3, axis=0) if len(pixels) == 1 else pixels
    return torch.from_numpy(np.ascontiguousarray(coloured))[None]
