"""The patch-unfolding affine network: one pass, images of any size.

Wodzinski & Müller 2020, "Learning-based affine registration of histological images", WBIR,
doi:10.1007/978-3-030-50120-4_2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stainbridge.errors import InputError
from stainbridge.nn.correlation import affine_fit
from stainbridge.nn.window_matches import WindowMatches

#: Density from which on matches are used.
TISSUE = 0.05
SUMMARY = 32  # channels


@dataclass(frozen=True)
class AffineNetConfig:
    """`widths` are the channels of the feature extractor, each half the resolution of the one
    before; `features` those of everything after it. `patch_pool` and `pool` are the sides of the
    average pooling of a patch and of the grid of patches: 1 in the paper, more keeps positions. The
    reference code's widths, (32, 64, 128, 256) and 256, have 5.9 million parameters; the paper
    counts slightly over 30 million, which `paper` reaches by widening every layer alike.

    `correlation`, 0 in the paper: beside both pictures' features goes what windows of the halved
    pictures say of each other at up to so many pixels apart, and to the matrix is added the affine
    map that fits these matches, each as it is trusted. What the network then regresses is the rest
    (docs/training.md says why).
    """

    kind: Literal["affine-net"] = "affine-net"
    patch_px: int = 224
    widths: tuple[int, ...] = (72, 144, 288, 576)
    features: int = 576
    groups: int = 12
    patch_pool: int = 1
    pool: int = 1
    grid_layers: int = 1
    correlation: int = 0

    def __post_init__(self) -> None:
        if self.correlation < 0:
            raise InputError(
                "correlation is a distance", expected="0 or more", got=self.correlation
            )
        if (
            min(
                self.patch_px,
                self.features,
                self.groups,
                self.patch_pool,
                self.pool,
                len(self.widths),
            )
            < 1
        ):
            raise InputError("every size of the network must be positive")
        if any(width % self.groups for width in (*self.widths, self.features)):
            raise InputError(
                "channels must divide into groups",
                expected=f"multiples of {self.groups}",
                got=self.widths,
            )

    @classmethod
    def preset(cls, name: str) -> AffineNetConfig:
        """ "paper" or "small" (0.35 million parameters, patches that suit pictures of 128 px,
        correlations).
        """
        if name == "small":
            return cls(
                "affine-net",
                64,
                (16, 32),
                features=64,
                groups=8,
                patch_pool=2,
                pool=2,
                correlation=5,
            )
        return cls()


class AffineNet(nn.Module):
    """Moving and fixed pictures, (N, 1, H, W) each, to affine matrices (N, 2, 3).

    A matrix takes fixed points to moving points, in units of half the longer side about the
    picture's middle, so that a rotation is a rotation whatever the aspect. Untrained it is within
    0.001 of the identity, or of what it fits.
    """

    def __init__(self, config: AffineNetConfig) -> None:
        super().__init__()
        self.config = config
        features, groups = config.features, config.groups
        self.extract = _extractor(config)
        told = 0
        if config.correlation:
            self.matches = WindowMatches(config.correlation, SUMMARY)
            told = self.matches.told
        self.combine = nn.Sequential(
            _conv(2 * config.widths[-1] + told, features, groups, stride=2),
            _conv(features, features, groups, stride=2),
            nn.AdaptiveAvgPool2d(config.patch_pool),
        )
        # One input channel, the features as depth: the kernel spans all features of 3 x 3
        # neighbouring patches.
        depth = features * config.patch_pool**2
        self.across = nn.Conv3d(1, features, (depth, 3, 3), padding=(0, 1, 1))
        self.after = nn.Sequential(
            nn.GroupNorm(groups, features),
            nn.PReLU(),
            *(_conv(features, features, groups) for _ in range(config.grid_layers)),
            nn.AdaptiveAvgPool2d(config.pool),
        )
        self.regress = nn.Sequential(
            nn.Linear(features * config.pool**2, features), nn.PReLU(), nn.Linear(features, 6)
        )
        last = self.regress[-1]
        assert isinstance(last, nn.Linear)
        nn.init.normal_(last.weight, std=1e-5)
        nn.init.zeros_(last.bias)

    def forward(self, fixed: Tensor, moving: Tensor) -> Tensor:
        """(N, 2, 3) matrices; one fixed picture may do for all. Raises `InputError` when pictures
        differ in size.
        """
        if fixed.shape[1:] != moving.shape[1:] or len(fixed) not in (1, len(moving)):
            raise InputError(
                "both pictures must have one size",
                expected=tuple(fixed.shape),
                got=tuple(moving.shape),
            )
        count = len(moving)
        patches, rows, columns = unfold(torch.cat([moving, fixed]), self.config.patch_px)
        split = [count * rows * columns, len(fixed) * rows * columns]
        of_moving, of_fixed = torch.split(self.extract(patches), split)
        sides = [of_moving, of_fixed.repeat(count // len(fixed), 1, 1, 1)]
        fit = torch.zeros(count, 2, 3, device=fixed.device)
        if self.config.correlation:
            moved, still = (
                F.avg_pool2d(folded(side, rows, columns), 2) for side in torch.split(patches, split)
            )
            tissue = (still > TISSUE).to(still.dtype)
            windows = self.matches(still, moved)
            fit = affine_fit(
                windows.displacement, windows.trust * tissue, max(fixed.shape[-2:]) / 4
            )
            side = of_moving.shape[-1]
            told = F.adaptive_avg_pool2d(windows.told * tissue, (rows * side, columns * side))
            sides.append(unfold(told, side)[0])
        vectors = self.combine(torch.cat(sides, dim=1)).flatten(1)
        grid = vectors.view(count, rows, columns, -1).permute(0, 3, 1, 2)
        matrix: Tensor = self.regress(self.after(self.across(grid[:, None])[:, :, 0]).flatten(1))
        return matrix.view(-1, 2, 3).float() + fit + torch.eye(2, 3, device=matrix.device)


def unfold(pictures: Tensor, patch_px: int) -> tuple[Tensor, int, int]:
    """Non-overlapping patches of (N, C, H, W), zero-padded evenly to whole patches:
    (N·rows·columns, C, p, p).
    """
    height, width = pictures.shape[-2:]
    rows, columns = -(-height // patch_px), -(-width // patch_px)
    more_y, more_x = rows * patch_px - height, columns * patch_px - width
    padded = F.pad(pictures, (more_x // 2, more_x - more_x // 2, more_y // 2, more_y - more_y // 2))
    grid = padded.view(len(pictures), -1, rows, patch_px, columns, patch_px)
    return (
        grid.permute(0, 2, 4, 1, 3, 5).reshape(-1, pictures.shape[1], patch_px, patch_px),
        rows,
        columns,
    )


def folded(patches: Tensor, rows: int, columns: int) -> Tensor:
    """`unfold` undone: (N·rows·columns, C, p, p) to (N, C, rows·p, columns·p)."""
    channels, side = patches.shape[1], patches.shape[-1]
    grid = patches.view(-1, rows, columns, channels, side, side).permute(0, 3, 1, 4, 2, 5)
    return grid.reshape(-1, channels, rows * side, columns * side)


def _extractor(config: AffineNetConfig) -> nn.Sequential:
    first, last = config.widths[0], config.widths[-1]
    widening = zip(config.widths, config.widths[1:], strict=False)
    return nn.Sequential(
        nn.Conv2d(1, first, 7, stride=2, padding=3),
        *(_Residual(before, after, config.groups, stride=2) for before, after in widening),
        _Residual(last, last, config.groups),
    )


def _conv(before: int, after: int, groups: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, stride=stride, padding=1),
        nn.GroupNorm(groups, after),
        nn.PReLU(),
    )


class _Residual(nn.Module):
    """Two 3 x 3 convolutions beside a shortcut, which is a convolution too where the size changes."""

    def __init__(self, before: int, after: int, groups: int, stride: int = 1) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            _conv(before, after, groups, stride), _conv(after, after, groups)
        )
        same = stride == 1 and before == after
        self.shortcut = (
            nn.Identity() if same else nn.Conv2d(before, after, 3, stride=stride, padding=1)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, before, H, W) to (N, after, H / stride, W / stride)."""
        return torch.as_tensor(self.shortcut(x) + self.layers(x))
