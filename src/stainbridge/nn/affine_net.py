"""The patch-unfolding affine network: one pass, images of any size.

Wodzinski & Müller 2020, "Learning-based affine registration of histological images", WBIR,
doi:10.1007/978-3-030-50120-4_2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stainbridge.errors import InputError
from stainbridge.nn.affine import AffineNetwork
from stainbridge.nn.correlation import fit_affine_change
from stainbridge.nn.window_matches import WindowMatches
from stainbridge.ranges import Within, check_ranges

#: Density above which matches are used: below it is glass.
TISSUE_DENSITY = 0.05
#: Channels that summarise the correlations of windows.
SUMMARY_CHANNELS = 32


@dataclass(frozen=True)
class AffineNetConfig:
    """Sizes of the affine network; the defaults are the paper's.

    The reference code's `widths` (32, 64, 128, 256) and `features` 256 have 5.9 million parameters.
    The paper counts slightly over 30 million, which the defaults reach by widening every layer
    alike. Raises `InputError` for sizes that make no network.
    """

    kind: Literal["affine-net"] = "affine-net"
    """Name of the network in its table."""
    patch_px: Annotated[int, Within(1, 4096)] = 224
    """Side of a patch in pixels."""
    widths: Annotated[tuple[int, ...], Within(1, 8192)] = (72, 144, 288, 576)
    """Channels of the feature extractor, each at half the resolution of the one before."""
    features: Annotated[int, Within(1, 8192)] = 576
    """Channels of every layer after the feature extractor."""
    groups: Annotated[int, Within(1, 8192)] = 12
    """Groups of the group normalisation."""
    patch_pool: Annotated[int, Within(1, 64)] = 1
    """Side of the average pooling of a patch; more than the paper's 1 keeps positions."""
    pool: Annotated[int, Within(1, 64)] = 1
    """Side of the average pooling of the grid of patches; more than 1 keeps positions."""
    grid_layers: Annotated[int, Within(0, 64)] = 1
    """Convolutions over the grid of patches."""
    correlation: Annotated[int, Within(0, 64)] = 0
    """Largest distance at which windows of the halved pictures are correlated, in pixels.

    0, as in the paper: no correlations. Otherwise the network also sees what windows match, adds
    the affine map that fits these matches to its matrix, and regresses the rest
    (docs/training.md says why)."""

    def __post_init__(self) -> None:
        check_ranges(self)
        if not self.widths:
            raise InputError("widths must not be empty", got=self.widths)
        if any(width % self.groups for width in (*self.widths, self.features)):
            raise InputError(
                "channels must divide into groups",
                expected=f"multiples of {self.groups}",
                got=self.widths,
            )

    @classmethod
    def preset(cls, name: str) -> AffineNetConfig:
        """Return "paper", or "small" with 0.35 million parameters for pictures of 128 px."""
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


class AffineNet(AffineNetwork):
    """The affine network; untrained it is nearly the identity, or the fit to matches."""

    def __init__(self, config: AffineNetConfig) -> None:
        super().__init__()
        self.config = config
        features = config.features
        groups = config.groups
        self.extract = _build_extractor(config)
        match_channels = 0
        if config.correlation:
            self.matches = WindowMatches(config.correlation, SUMMARY_CHANNELS)
            match_channels = self.matches.channels
        self.combine = nn.Sequential(
            _make_conv(2 * config.widths[-1] + match_channels, features, groups, stride=2),
            _make_conv(features, features, groups, stride=2),
            nn.AdaptiveAvgPool2d(config.patch_pool),
        )
        # One input channel, the features as depth: the kernel spans all features of 3 x 3
        # neighbouring patches.
        depth = features * config.patch_pool**2
        self.across = nn.Conv3d(1, features, (depth, 3, 3), padding=(0, 1, 1))
        self.after = nn.Sequential(
            nn.GroupNorm(groups, features),
            nn.PReLU(),
            *(_make_conv(features, features, groups) for _ in range(config.grid_layers)),
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
        """Return the matrices, (N, 2, 3); one fixed picture may serve for all moving ones.

        Raises `InputError` when pictures differ in size.
        """
        if fixed.shape[1:] != moving.shape[1:] or len(fixed) not in (1, len(moving)):
            raise InputError(
                "both pictures must have one size",
                expected=tuple(fixed.shape),
                got=tuple(moving.shape),
            )
        count = len(moving)
        patches, rows, columns = unfold_patches(torch.cat([moving, fixed]), self.config.patch_px)
        counts = [count * rows * columns, len(fixed) * rows * columns]
        of_moving, of_fixed = torch.split(self.extract(patches), counts)
        features = [of_moving, of_fixed.repeat(count // len(fixed), 1, 1, 1)]
        fit = torch.zeros(count, 2, 3, device=fixed.device)
        if self.config.correlation:
            half_moving, half_fixed = (
                F.avg_pool2d(fold_patches(side, rows, columns), 2)
                for side in torch.split(patches, counts)
            )
            tissue = (half_fixed > TISSUE_DENSITY).to(half_fixed.dtype)
            matches = self.matches(half_fixed, half_moving)
            fit = fit_affine_change(
                matches.displacement, matches.trust * tissue, max(fixed.shape[-2:]) / 4
            )
            side_px = of_moving.shape[-1]
            pooled = F.adaptive_avg_pool2d(
                matches.features * tissue, (rows * side_px, columns * side_px)
            )
            features.append(unfold_patches(pooled, side_px)[0])
        vectors = self.combine(torch.cat(features, dim=1)).flatten(1)
        grid = vectors.view(count, rows, columns, -1).permute(0, 3, 1, 2)
        matrix: Tensor = self.regress(self.after(self.across(grid[:, None])[:, :, 0]).flatten(1))
        return matrix.view(-1, 2, 3).float() + fit + torch.eye(2, 3, device=matrix.device)


def unfold_patches(pictures: Tensor, patch_px: int) -> tuple[Tensor, int, int]:
    """Cut (N, C, H, W) into patches, (N·rows·columns, C, p, p), and return rows and columns too.

    Patches do not overlap; pictures are zero-padded evenly to whole patches.
    """
    height, width = pictures.shape[-2:]
    rows = -(-height // patch_px)
    columns = -(-width // patch_px)
    padding_y = rows * patch_px - height
    padding_x = columns * patch_px - width
    left = padding_x // 2
    top = padding_y // 2
    padded = F.pad(pictures, (left, padding_x - left, top, padding_y - top))
    grid = padded.view(len(pictures), -1, rows, patch_px, columns, patch_px)
    patches = grid.permute(0, 2, 4, 1, 3, 5).reshape(-1, pictures.shape[1], patch_px, patch_px)
    return patches, rows, columns


def fold_patches(patches: Tensor, rows: int, columns: int) -> Tensor:
    """Undo `unfold_patches`: (N·rows·columns, C, p, p) to (N, C, rows·p, columns·p)."""
    channels = patches.shape[1]
    side = patches.shape[-1]
    grid = patches.view(-1, rows, columns, channels, side, side).permute(0, 3, 1, 4, 2, 5)
    return grid.reshape(-1, channels, rows * side, columns * side)


def _build_extractor(config: AffineNetConfig) -> nn.Sequential:
    first = config.widths[0]
    last = config.widths[-1]
    widenings = zip(config.widths, config.widths[1:], strict=False)
    return nn.Sequential(
        nn.Conv2d(1, first, 7, stride=2, padding=3),
        *(_Residual(before, after, config.groups, stride=2) for before, after in widenings),
        _Residual(last, last, config.groups),
    )


def _make_conv(before: int, after: int, groups: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, stride=stride, padding=1),
        nn.GroupNorm(groups, after),
        nn.PReLU(),
    )


class _Residual(nn.Module):
    """Two 3 x 3 convolutions beside a shortcut, which is a convolution where the size changes."""

    def __init__(self, before: int, after: int, groups: int, stride: int = 1) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            _make_conv(before, after, groups, stride), _make_conv(after, after, groups)
        )
        is_same_size = stride == 1 and before == after
        self.shortcut = (
            nn.Identity() if is_same_size else nn.Conv2d(before, after, 3, stride=stride, padding=1)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, before, H, W) to (N, after, H / stride, W / stride)."""
        return torch.as_tensor(self.shortcut(x) + self.layers(x))
