"""Features by which pictures are compared: VGG-16's, or those of an untrained stand-in.

Simonyan & Zisserman 2015, arXiv:1409.1556; Johnson et al. 2016, arXiv:1603.08155.

The weights are those torchvision publishes as `vgg16-397923af.pth` (`VGG16_Weights.IMAGENET1K_V1`),
converted once by

```python
import torch
from safetensors.torch import save_file

published = torch.load("vgg16-397923af.pth", weights_only=True)
convolutions = {
    name: tensor.contiguous() for name, tensor in published.items() if name.startswith("features.")
}
save_file(convolutions, "vgg16.safetensors")
```

Without them the same convolutions with seeded random weights stand in. Such features also
distinguish structures (He, Wang & Hopcroft 2016, arXiv:1606.04801), but they know nothing of
ImageNet. `PerceptualNet.name` says which of the two it is; logs and model cards print it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from stainbridge.errors import InputError, MissingFileError

#: Name of the network with trained weights.
VGG16 = "vgg16-imagenet"
#: Name of the stand-in.
SEEDED = "seeded-untrained-vgg16"
#: Number of convolutions of each block, and channels as multiples of the first block's. A 2 x 2
#: pooling stands between blocks.
BLOCKS = ((2, 1), (2, 2), (3, 4), (3, 8), (3, 8))
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
    """Path of a converted file of weights; empty for the stand-in."""
    layers: tuple[int, ...] = (3,)
    """Numbers of the convolutions that are compared, from 0.

    3 is relu2_2 and 6 is relu3_3; CycGANRegNet does not say which it uses."""
    width: int = 64
    """Channels of the first block: 64 with trained weights."""
    seed: int = 0
    """Seed of the stand-in's weights."""
    activated: bool = True
    """Whether features are those after the ReLU; ESRGAN compares those before it."""

    def __post_init__(self) -> None:
        convolutions = sum(count for count, _ in BLOCKS)
        if not self.layers or any(not 0 <= layer < convolutions for layer in self.layers):
            raise InputError(
                "no such layers of VGG-16", expected=f"0 to {convolutions - 1}", got=self.layers
            )
        if self.width < 1 or (self.weights and self.width != 64):
            raise InputError(
                "wrong width", expected="64 with weights, positive without", got=self.width
            )


class PerceptualNet(nn.Module):
    """Pictures (N, 3, H, W) in −1 … 1 to features (N, C, h, w) of each of `layers`. Frozen.

    Raises `InputError` when the file of weights is missing, no safetensors or not VGG-16's.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, config: PerceptualConfig) -> None:
        super().__init__()
        self.config = config
        self.name = VGG16 if config.weights else SEEDED
        self.features = _convolutions(config.width, max(config.layers))
        if config.weights:
            _load(self.features, Path(config.weights))
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


def _load(features: nn.Sequential, path: Path) -> None:
    from safetensors import SafetensorError, safe_open

    wanted = {f"features.{name}": tensor for name, tensor in features.state_dict().items()}
    try:
        with safe_open(path, framework="pt") as opened:
            present = set(opened.keys())
            tensors = {name: opened.get_tensor(name) for name in wanted if name in present}
    except (SafetensorError, OSError) as error:
        kind = MissingFileError if isinstance(error, FileNotFoundError) else InputError
        raise kind(
            f"no weights of VGG-16 ({error})",
            where=path,
            expected="torchvision's vgg16-397923af.pth converted to safetensors",
            remedy="stainbridge.nn.perceptual shows how",
        ) from error
    for name, tensor in wanted.items():
        got = tuple(tensors[name].shape) if name in tensors else "absent"
        if got != tuple(tensor.shape):
            raise InputError(
                "not the weights of VGG-16",
                where=path,
                expected=f"{name} {tuple(tensor.shape)}",
                got=got,
            )
    features.load_state_dict(
        {name.removeprefix("features."): tensor for name, tensor in tensors.items()}
    )


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
