"""Features by which pictures are compared: VGG-16's, or those of an untrained stand-in.

Simonyan & Zisserman 2015, arXiv:1409.1556; Johnson et al. 2016, arXiv:1603.08155.

The weights are those torchvision publishes as `vgg16-397923af.pth` (`VGG16_Weights.IMAGENET1K_V1`).
That file is taken as it is, and so are safetensors of its `features.*` in float32 or float16.

Without them the same convolutions with seeded random weights stand in. Such features also
distinguish structures (He, Wang & Hopcroft 2016, arXiv:1606.04801), but they know nothing of
ImageNet. `PerceptualNet.name` says which of the two it is; logs and model cards print it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
from torch import Tensor, nn

from stainbridge.errors import InputError
from stainbridge.nn.published_weights import PublishedNetwork
from stainbridge.ranges import Seed, Within, check_ranges

#: Name of the network with trained weights.
VGG16 = "vgg16-imagenet"
#: Name of the stand-in.
SEEDED = "seeded-untrained-vgg16"
#: Number of convolutions of each block, and channels as multiples of the first block's. A 2 x 2
#: pooling stands between blocks.
BLOCKS = ((2, 1), (2, 2), (3, 4), (3, 8), (3, 8))
#: VGG-16's published weights.
PUBLISHED = PublishedNetwork(
    "VGG-16", "vgg16-397923af.pth", (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
)
#: Numbers of all 13 convolutions. They have 4,224 maps together; the sum that SAR prints, 3,968,
#: counts two of the three convolutions of 256.
ALL_LAYERS = tuple(range(13))
#: Maps that vary by less are flat: `normalise_maps` leaves nothing of them.
FLAT_RANGE = 1e-3
#: ImageNet's mean of red, green and blue in 0 … 1, which VGG-16 was trained with.
MEAN = (0.485, 0.456, 0.406)
#: ImageNet's standard deviation of red, green and blue.
STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class PerceptualConfig:
    """Which features of which network are compared.

    Raises `InputError` for layers and widths that VGG-16 does not have.
    """

    weights: str = ""
    """Path of VGG-16's weights, `.pth` or safetensors; empty for the stand-in."""
    layers: Annotated[tuple[int, ...], Within(0, 12)] = (3,)
    """Numbers of the convolutions that are compared, from 0.

    3 is relu2_2 and 6 is relu3_3. CycGANRegNet does not say which it compares. relu2_2 is chosen:
    Johnson et al. 2016, whom it follows, find that early layers keep colour and exact shape, and
    compare relu2_2 where these matter. A value there sees 14 px, and 40 px at relu3_3."""
    width: Annotated[int, Within(1, 512)] = 64
    """Channels of the first block: 64 with trained weights."""
    seed: Seed = 0
    """Seed of the stand-in's weights."""
    activated: bool = True
    """Whether features are those after the ReLU; ESRGAN compares those before it."""

    def __post_init__(self) -> None:
        check_ranges(self)
        if not self.layers:
            raise InputError("no such layers of VGG-16", expected="at least one", got=self.layers)
        if self.weights and self.width != 64:
            raise InputError(
                "wrong width", expected="64 with weights, positive without", got=self.width
            )


class PerceptualNet(nn.Module):
    """Pictures (N, 3, H, W) in −1 … 1 to features (N, C, h, w) of each of `layers`. Frozen.

    Raises `InputError` when the file of weights is missing, damaged or not VGG-16's.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, config: PerceptualConfig) -> None:
        super().__init__()
        self.config = config
        self.name = VGG16 if config.weights else SEEDED
        self.features = _convolutions(config.width, max(config.layers))
        if config.weights:
            PUBLISHED.load(self.features, Path(config.weights))
        else:
            _seed(self.features, config.seed)
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(STD).view(1, 3, 1, 1))
        self.requires_grad_(False)

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """Return the features of `config.layers`, in order of depth."""
        x = ((pictures + 1) / 2 - self.mean) / self.std
        features: list[Tensor] = []
        number = -1
        for layer in self.features:
            x = layer(x)
            number += isinstance(layer, nn.Conv2d)
            wanted = nn.ReLU if self.config.activated else nn.Conv2d
            if isinstance(layer, wanted) and number in self.config.layers:
                features.append(x)
        return features


def normalise_maps(features: Tensor) -> Tensor:
    """Scale each map of features (N, C, h, w) to 0 … 1, differentiably.

    The least value of a map becomes 0 and the largest 1, as in the VGG term of SAR. A map that
    varies by less than `FLAT_RANGE` becomes 0, and no gradient flows through it.
    """
    least = features.amin((2, 3), keepdim=True)
    extent = features.amax((2, 3), keepdim=True) - least
    is_flat = extent < FLAT_RANGE
    scaled = (features - least) / torch.where(is_flat, 1.0, extent)
    return torch.where(is_flat, 0.0, scaled)


def _convolutions(width: int, deepest: int) -> nn.Sequential:
    """Return torchvision's `features` up to convolution number `deepest`, numbered as there."""
    layers: list[nn.Module] = []
    before = 3
    number = 0
    for count, multiple in BLOCKS:
        for _ in range(count):
            # not in place: the convolution's output may be compared later
            layers += [nn.Conv2d(before, width * multiple, 3, padding=1), nn.ReLU()]
            if number == deepest:
                return nn.Sequential(*layers)
            before = width * multiple
            number += 1
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers)


def _seed(features: nn.Sequential, seed: int) -> None:
    """Draw the weights as He et al. 2015 do, which keeps the features' scale from layer to layer.

    The weights depend on `seed` alone.
    """
    generator = torch.Generator().manual_seed(seed)
    for layer in features:
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)
