"""LPIPS: how different two pictures look, by the features of a trained network.

Zhang et al. 2018, "The unreasonable effectiveness of deep features as a perceptual metric",
arXiv:1801.03924, version 0.1 of its linear heads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from stainbridge.errors import InputError, MissingFileError
from stainbridge.nn.perceptual import MEAN, STD, PerceptualConfig, PerceptualNet
from stainbridge.nn.published_weights import PublishedNetwork, check_shapes, read_tensors
from stainbridge.types import Pixels

#: The network whose features are compared. The authors recommend "alex" as a metric.
LpipsNetwork: TypeAlias = Literal["alex", "vgg"]

#: AlexNet's published weights.
ALEXNET = PublishedNetwork("AlexNet", "alexnet-owt-7be5be79.pth", (0, 3, 6, 8, 10))
#: Channels of AlexNet's five convolutions.
ALEXNET_CHANNELS = (64, 192, 384, 256, 256)
#: Convolutions of VGG-16 that are compared: relu1_2, relu2_2, relu3_3, relu4_3, relu5_3.
VGG_LAYERS = (1, 3, 6, 9, 12)
#: Their channels.
VGG_CHANNELS = (64, 128, 256, 512, 512)
#: Added to the length of a feature vector before it is divided by.
LENGTH_GUARD = 1e-10
#: Shortest side of a picture in pixels: AlexNet's last pooling needs it.
SHORTEST_PX = 31


@dataclass(frozen=True)
class LpipsFiles:
    """The two files of one variant."""

    network: LpipsNetwork
    """Which network's features are compared."""
    backbone: Path
    """Weights of its convolutions, trained on ImageNet: `.pth` or safetensors."""
    heads: Path
    """Weights of the linear heads: the authors' `.pth`, or safetensors of `lin0.weight` …"""


def find_lpips_files(folder: Path) -> list[LpipsFiles]:
    """Return the variants whose files are in `folder`, "alex" first.

    Backbones are files whose names begin with "alexnet" or "vgg16". Heads are `alex.pth` and
    `vgg.pth`, as published, or files whose names begin with "lpips" and contain "alex" or "vgg".
    Raises `InputError` where there is no whole variant.
    """
    if not folder.is_dir():
        raise MissingFileError("no folder of LPIPS weights", where=folder)
    backbones = {"alex": "alexnet*", "vgg": "vgg16*"}
    variants: list[LpipsFiles] = []
    for network in ("alex", "vgg"):
        backbone = _find_one(folder, backbones[network])
        heads = _find_one(folder, f"lpips*{network}*", f"{network}.pth")
        if backbone is not None and heads is not None:
            variants.append(LpipsFiles(network, backbone, heads))
    if not variants:
        raise InputError(
            "no LPIPS weights there",
            where=folder,
            expected="alexnet* and lpips*alex*, or vgg16* and lpips*vgg*",
        )
    return variants


def _find_one(folder: Path, *patterns: str) -> Path | None:
    """Return the first file by name that matches one of the patterns; None without any."""
    files = [path for pattern in patterns for path in sorted(folder.glob(pattern))]
    return files[0] if files else None


class Lpips(nn.Module):
    """Pictures (N, 3, H, W) in −1 … 1 to their perceptual distances (N,). Frozen.

    0 for equal pictures, and larger for pictures that people find less alike. Distances of the two
    networks cannot be compared. Raises `InputError` for files that are not this network's.
    """

    def __init__(self, files: LpipsFiles) -> None:
        super().__init__()
        self.files = files
        self.backbone: nn.Module
        if files.network == "vgg":
            self.backbone = PerceptualNet(PerceptualConfig(str(files.backbone), VGG_LAYERS))
            channels: Sequence[int] = VGG_CHANNELS
        else:
            self.backbone = AlexNetFeatures(files.backbone)
            channels = ALEXNET_CHANNELS
        self.heads = nn.ParameterList(_read_heads(files, channels))
        self.requires_grad_(False)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Return the sum over layers of the mean over pixels of the weighted squared differences.

        Feature vectors have unit length (Zhang et al. 2018, eq. 1). Raises `InputError` for other
        pictures.
        """
        if a.shape != b.shape or a.ndim != 4 or a.shape[1] != 3 or min(a.shape[2:]) < SHORTEST_PX:
            raise InputError(
                "LPIPS compares two sets of RGB pictures of one size",
                expected=f"(N, 3, H, W), sides of {SHORTEST_PX} or more",
                got=f"{tuple(a.shape)} and {tuple(b.shape)}",
            )
        layers = zip(self.heads, self.backbone(a), self.backbone(b), strict=True)
        distances = [
            ((_unit(x) - _unit(y)).square() * head).sum(1).mean((1, 2)) for head, x, y in layers
        ]
        return torch.stack(distances).sum(0)


@torch.no_grad()
def compare_pixels(network: Lpips, a: Pixels, b: Pixels, span: float = 255.0) -> float:
    """Return the distance of two pictures (3, H, W) of values 0 … `span`.

    Raises `InputError` for other pictures.
    """
    device = next(network.parameters()).device
    tensors = [
        torch.from_numpy(np.asarray(pixels, np.float32))[None].to(device) * (2 / span) - 1
        for pixels in (a, b)
    ]
    return float(network(*tensors))


class AlexNetFeatures(nn.Module):
    """Pictures (N, 3, H, W) in −1 … 1 to the features after AlexNet's five ReLUs.

    Krizhevsky 2014, arXiv:1404.5997, as torchvision has it. Raises `InputError` for a file that is
    not AlexNet's.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, weights: Path) -> None:
        super().__init__()
        first, second, third, fourth, fifth = ALEXNET_CHANNELS
        self.features = nn.Sequential(
            nn.Conv2d(3, first, 11, stride=4, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(3, 2),
            nn.Conv2d(first, second, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(3, 2),
            nn.Conv2d(second, third, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(third, fourth, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(fourth, fifth, 3, padding=1),
            nn.ReLU(),
        )
        ALEXNET.load(self.features, weights)
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(STD).view(1, 3, 1, 1))

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """Return the five layers of features, in order of depth."""
        x = ((pictures + 1) / 2 - self.mean) / self.std
        features: list[Tensor] = []
        for layer in self.features:
            x = layer(x)
            if isinstance(layer, nn.ReLU):
                features.append(x)
        return features


def _unit(features: Tensor) -> Tensor:
    """Return features (N, C, h, w) whose vectors of C values have unit length."""
    return features / (features.square().sum(1, keepdim=True).sqrt() + LENGTH_GUARD)


def _read_heads(files: LpipsFiles, channels: Sequence[int]) -> list[Tensor]:
    """Return the weight of each channel of each layer, (1, C, 1, 1)."""
    network = f"LPIPS ({files.network})"
    stored = read_tensors(files.heads, network, "lin0.weight to lin4.weight")
    # the authors' file has a dropout before each convolution
    weights = {name.replace(".model.1.", "."): tensor for name, tensor in stored.items()}
    wanted = {f"lin{i}.weight": torch.empty(1, count, 1, 1) for i, count in enumerate(channels)}
    check_shapes(weights, wanted, files.heads, network)
    return [weights[name].float() for name in wanted]
