"""Features by which pictures are compared: VGG-16 trained on ImageNet, or a seeded stand-in that is
not trained.

Simonyan & Zisserman 2015, arXiv:1409.1556; Johnson et al. 2016, arXiv:1603.08155.

The weights are those torchvision publishes as `vgg16-397923af.pth` (`VGG16_Weights.IMAGENET1K_V1`),
converted once by

```python
import torch
from safetensors.torch import save_file

published = torch.load("vgg16-397923af.pth", weights_only=True)
save_file({name: w.contiguous() for name, w in published.items() if name.startswith("features.")}, "vgg16.safetensors")
```

Without them the same convolutions with seeded random weights stand in. Such features too tell
structure apart (He, Wang & Hopcroft 2016, arXiv:1606.04801), but they know nothing of ImageNet:
`PerceptualNet.name` says which it is, and whoever logs a run or writes a model card prints it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from stainbridge.errors import InputError, MissingFileError

VGG16, SEEDED = "vgg16-imagenet", "seeded-untrained-vgg16"
#: Convolutions of each block, channels as multiples of the first; a 2 x 2 pooling stands between
#: blocks.
BLOCKS = ((2, 1), (2, 2), (3, 4), (3, 8), (3, 8))
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class PerceptualConfig:
    """`weights`: a converted file, or "" for the stand-in of `width` and `seed`. `layers` counts
    convolutions from 0.

    Layer 3 is relu2_2 and 6 relu3_3; CycGANRegNet does not say which it uses. Features that are not
    `activated` are those before the ReLU, as ESRGAN compares them.
    """

    weights: str = ""
    layers: tuple[int, ...] = (3,)
    width: int = 64
    seed: int = 0
    activated: bool = True

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
        """The features of `config.layers`, in order of depth."""
        x = ((pictures + 1) / 2 - self.mean) / self.std
        found: list[Tensor] = []
        number = -1
        for layer in self.features:
            x = layer(x)
            number += isinstance(layer, nn.Conv2d)
            wanted = nn.ReLU if self.config.activated else nn.Conv2d
            if isinstance(layer, wanted) and number in self.config.layers:
                found.append(x)
        return found


def _convolutions(width: int, deepest: int) -> nn.Sequential:
    """Torchvision's `features` as far as convolution number `deepest`, in its numbering."""
    layers: list[nn.Module] = []
    before, number = 3, 0
    for count, times in BLOCKS:
        for _ in range(count):
            # Not in place: what is put out is compared later.
            layers += [nn.Conv2d(before, width * times, 3, padding=1), nn.ReLU()]
            if number == deepest:
                return nn.Sequential(*layers)
            before, number = width * times, number + 1
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers)


def _load(features: nn.Sequential, path: Path) -> None:
    from safetensors import SafetensorError, safe_open

    wanted = {f"features.{name}": tensor for name, tensor in features.state_dict().items()}
    try:
        with safe_open(path, framework="pt") as opened:
            present = set(opened.keys())
            found = {name: opened.get_tensor(name) for name in wanted if name in present}
    except (SafetensorError, OSError) as error:
        kind = MissingFileError if isinstance(error, FileNotFoundError) else InputError
        raise kind(
            f"no weights of VGG-16 ({error})",
            where=path,
            expected="torchvision's vgg16-397923af.pth converted to safetensors",
            remedy="stainbridge.nn.perceptual shows how",
        ) from error
    for name, tensor in wanted.items():
        got = tuple(found[name].shape) if name in found else "absent"
        if got != tuple(tensor.shape):
            raise InputError(
                "not the weights of VGG-16",
                where=path,
                expected=f"{name} {tuple(tensor.shape)}",
                got=got,
            )
    features.load_state_dict(
        {name.removeprefix("features."): tensor for name, tensor in found.items()}
    )


def _seed(features: nn.Sequential, seed: int) -> None:
    """He et al. 2015's initialisation, which keeps the features' scale from layer to layer,
    whatever torch drew.
    """
    generator = torch.Generator().manual_seed(seed)
    for layer in features:
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)
