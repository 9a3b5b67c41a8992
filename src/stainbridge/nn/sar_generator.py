"""SAR's generator: registered picture, displacement field and masks from one stack of convolutions.

Mahapatra & Ge, segmentation-augmented registration with transfer learning, figure 1 a.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stainbridge.errors import InputError
from stainbridge.geometry.flow import exponentiate, resize, warp
from stainbridge.nn.fields import DeformableNet, Fields, Term
from stainbridge.nn.otsu import find_otsu_threshold
from stainbridge.nn.window_matches import WindowMatches
from stainbridge.ranges import Within, check_ranges

#: Channels that summarise the correlations of windows.
SUMMARY_CHANNELS = 16
#: Radius of the correlated windows, and of the windows whose matches are averaged, in pixels of the
#: blocks' grid.
MATCH_RADIUS = 3
MATCH_NEIGHBOURS = 2
#: Standard deviation of the last layer's initial weights: an untrained network is the identity.
INITIAL_STD = 1e-5
#: Ranges of maps below this are those of flat maps.
FLAT_RANGE = 1e-6


@dataclass(frozen=True)
class SarGeneratorConfig:
    """Sizes of the generator, and what the paper leaves open.

    The paper gives the residual block: two 3 x 3 convolutions of 64 maps with stride 1, batch
    normalisation and ReLU. It does not give the number of blocks; 16 is that of SRGAN (Ledig et al.
    2017, arXiv:1609.04802), whose drawing and words it shares. Nor does it say how the maps become
    a field. Here one 3 x 3 convolution, the last, returns the field (dx, dy), and the picture where
    it is "generated".

    The paper's stack sees 2·16 + 2 pixels far, enough for its 20 pixels, but only with all 16
    blocks at full resolution. `halvings` and `dilations` give fewer blocks the same reach,
    `correlation` makes the matching itself no matter of learning.

    Raises `InputError` for sizes that make no network.
    """

    kind: Literal["sar"] = "sar"
    """Name of the network."""
    width: Annotated[int, Within(1, 8192)] = 64
    """Maps of every convolution."""
    blocks: Annotated[int, Within(1, 256)] = 16
    """Residual blocks."""
    shrink: Annotated[int, Within(1, 64)] = 1
    """Pixels along a side that are averaged to one before the first convolution; 1 in the paper."""
    halvings: Annotated[int, Within(0, 10)] = 0
    """Halvings of the resolution before the blocks; 0 in the paper. The field is up-sampled."""
    dilations: Annotated[tuple[int, ...], Within(1, 64)] = (1,)
    """Dilations of the blocks' convolutions, in turn; 1 in the paper."""
    correlation: Annotated[int, Within(0, 64)] = 0
    """Largest distance at which windows are correlated, in pixels of the blocks' grid.

    0, as in the paper: no correlations. Otherwise the network also sees the NCC of windows of both
    pictures, and the field starts from the matches of windows."""
    squarings: Annotated[int, Within(0, 20)] = 0
    """Steps that integrate the output as a velocity, so that it cannot fold; 0 in the paper."""
    picture: Literal["warped", "generated"] = "generated"
    """How the registered picture is made.

    "generated", as in the paper: the last convolution returns it. "warped": the floating picture is
    resampled through the field. A network that sees the reference can return it as it is, whatever
    its field; a warped picture is only as similar as the field is right."""
    temperature: Annotated[float, Within(0, 100, above=True)] = 0.05
    """Width of the soft masks' edge about Otsu's threshold, in fused maps of 0 … 1."""

    def __post_init__(self) -> None:
        check_ranges(self)
        if not self.dilations:
            raise InputError("dilations must not be empty", got=self.dilations)

    @classmethod
    def preset(cls, name: str) -> SarGeneratorConfig:
        """Return "paper", or "small" for two CPU cores."""
        if name == "small":
            return cls(
                width=24,
                blocks=6,
                shrink=2,
                halvings=1,
                dilations=(1, 2, 4),
                correlation=3,
                squarings=5,
                picture="warped",
            )
        return cls()


@dataclass(frozen=True, eq=False)
class SarMasks:
    """Masks of reference and floating picture, from the generator's own maps.

    Otsu's threshold has no gradient. Losses therefore take `soft` masks: a sigmoid about the
    threshold, whose gradient reaches the weights that fuse the maps, and the maps.
    """

    fused: Tensor
    """Weighted sums of the normalised maps, (N, 2, H, W) in 0 … 1: reference, floating."""
    threshold: Tensor
    """Otsu's threshold of each, (N, 2, 1, 1)."""
    temperature: float
    """Width of the soft masks' edge."""

    @property
    def soft(self) -> Tensor:
        """How much each pixel is inside, (N, 2, H, W) in 0 … 1, with a gradient."""
        return ((self.fused - self.threshold) / self.temperature).sigmoid()

    @property
    def hard(self) -> Tensor:
        """Otsu's masks, (N, 2, H, W), bool."""
        return self.fused > self.threshold


@dataclass(frozen=True, eq=False)
class Trunk:
    """What the layers before the last one make of two pictures."""

    features: Tensor
    """What the last convolution sees, (N, C, h, w)."""
    initial: Tensor | None
    """Field of the matches of windows that the output is added to, (N, 2, h, w)."""
    maps: tuple[Tensor, ...]
    """The output of every convolution but the last, (N, width, h, w) each."""
    size: tuple[int, int]
    """Height and width of the pictures."""


@dataclass(frozen=True, eq=False)
class SarOutput:
    """Everything that the generator returns."""

    picture: Tensor
    """The floating picture registered to the reference, (N, 1, H, W)."""
    fields: Fields
    """The recovered field, reference pixels to floating pixels."""
    masks: SarMasks
    """Masks of the reference and the floating picture."""

    def select(self, samples: slice) -> SarOutput:
        """Return the output of some of the samples."""
        displacement = self.fields.final[samples]
        regular = None if self.fields.regular is None else self.fields.regular[samples]
        masks = self.masks
        return SarOutput(
            self.picture[samples],
            Fields(displacement, (Term(displacement),), regular),
            SarMasks(masks.fused[samples], masks.threshold[samples], masks.temperature),
        )

    @property
    def displacement(self) -> Tensor:
        """The recovered field, (N, 2, H, W) in pixels."""
        return self.fields.final

    @property
    def registered_mask(self) -> Tensor:
        """The soft mask of the registered picture: the floating one through the field."""
        return warp(self.masks.soft[:, 1:], self.displacement, "zeros")


class SarGenerator(DeformableNet):
    """Reference and floating picture, (N, 1, H, W) each in 0 … 1, to a `SarOutput`.

    As a `DeformableNet`, of fixed and moving pictures, it returns the field alone. With exchanged
    pictures it is the paper's other generator F: registration knows no direction, so both share
    their weights.
    """

    def __init__(self, config: SarGeneratorConfig) -> None:
        super().__init__()
        self.config = config
        self.period = config.shrink * 2**config.halvings
        width = config.width
        self.stem = nn.ModuleList([_make_layer(2, width)])
        self.stem.extend(_make_layer(width, width, stride=2) for _ in range(config.halvings))
        features = width
        if config.correlation:
            self.matches = WindowMatches(
                config.correlation, SUMMARY_CHANNELS, MATCH_RADIUS, MATCH_NEIGHBOURS
            )
            self.stem.append(_make_layer(width + self.matches.channels, width))
            features += 2
        self.blocks = nn.ModuleList(
            ResidualBlock(width, config.dilations[number % len(config.dilations)])
            for number in range(config.blocks)
        )
        outputs = 3 if config.picture == "generated" else 2
        self.last = nn.Conv2d(features, outputs, 3, padding=1)
        nn.init.normal_(self.last.weight, std=INITIAL_STD)
        assert self.last.bias is not None
        nn.init.zeros_(self.last.bias)
        convolutions = len(self.stem) + 2 * config.blocks
        self.fusion = nn.Parameter(torch.randn(convolutions, 2, width) / (convolutions * width))

    @property
    def reach(self) -> int:
        """The reach of all convolutions and matches, in pixels; the displacement adds its own."""
        config = self.config
        dilations = [
            config.dilations[number % len(config.dilations)] for number in range(config.blocks)
        ]
        blocks_px = 2 * sum(dilations) + 2  # the last convolution, and the up-sampling
        if config.correlation:
            blocks_px += 1 + self.matches.reach
        return self.period * (blocks_px + 2)

    def trunk(self, reference: Tensor, floating: Tensor) -> Trunk:
        """Return what all layers but the last make of pictures whose sides fit `period`."""
        x = _shrink(torch.cat([reference, floating], 1), self.config.shrink)
        maps: list[Tensor] = []
        initial: Tensor | None = None
        for number, layer in enumerate(self.stem):
            if self.config.correlation and number == len(self.stem) - 1:
                match = self.matches(*(_shrink(p, self.period) for p in (reference, floating)))
                initial = self.matches.smooth_displacement(match)
                x = torch.cat([x, match.features], 1)
            x = layer(x)
            maps.append(x)
        for block in self.blocks:
            inner, outer, x = block(x)
            maps += [inner, outer]
        features = x if initial is None else torch.cat([x, initial], 1)
        return Trunk(features, initial, tuple(maps), (reference.shape[-2], reference.shape[-1]))

    def decode(self, trunk: Trunk) -> tuple[Fields, Tensor | None]:
        """Return the fields of the last convolution, and the picture where it is generated."""
        output = self.last(trunk.features).float()
        coarse = output[:, :2] if trunk.initial is None else output[:, :2] + trunk.initial
        moved = exponentiate(coarse, self.config.squarings) if self.config.squarings else coarse
        displacement = resize(moved, *trunk.size)
        fields = Fields(displacement, (Term(displacement),), coarse)
        if self.config.picture == "warped":
            return fields, None
        picture = F.interpolate(output[:, 2:].sigmoid(), trunk.size, mode="bilinear")
        return fields, picture

    def fields(self, fixed: Tensor, moving: Tensor) -> Fields:
        """Return the recovered field, with the last convolution's output as what is regular."""
        fields, _ = self.decode(self.trunk(fixed, moving))
        return fields

    def masks(self, trunk: Trunk) -> SarMasks:
        """Return the masks of both pictures from the maps of all convolutions but the last."""
        fused: dict[torch.Size, Tensor] = {}
        for weights, maps in zip(self.fusion, trunk.maps, strict=True):
            size = maps.shape[-2:]
            layer = fuse_maps(maps, weights)
            fused[size] = fused[size] + layer if size in fused else layer
        resized = [_resize_maps(total, trunk.size) for total in fused.values()]
        normalised = stretch_maps(torch.stack(resized).sum(0).float())
        threshold = find_otsu_threshold(normalised)
        return SarMasks(normalised, threshold, self.config.temperature)

    def register(self, reference: Tensor, floating: Tensor) -> SarOutput:
        """Return registered picture, field and masks.

        Raises `InputError` for pictures of different sizes or sides that `period` does not divide.
        """
        sides = (*reference.shape[-2:], *floating.shape[-2:])
        if reference.shape != floating.shape or any(side % self.period for side in sides):
            raise InputError(
                "pictures that do not fit the generator",
                expected=f"two of one size, sides multiples of {self.period}",
                got=(tuple(reference.shape), tuple(floating.shape)),
            )
        trunk = self.trunk(reference, floating)
        return self.complete(trunk, floating, self.masks(trunk))

    def complete(self, trunk: Trunk, floating: Tensor, masks: SarMasks) -> SarOutput:
        """Return the output of pictures whose trunk and masks are known."""
        fields, picture = self.decode(trunk)
        if picture is None:
            picture = warp(floating, fields.final, "zeros")
        return SarOutput(picture, fields, masks)


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions with batch normalisation and ReLU, added to what they see."""

    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.first = _make_layer(width, width, dilation=dilation)
        self.second = _make_layer(width, width, dilation=dilation)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the maps of both convolutions, (N, width, H, W) each, and the block's output."""
        inner = self.first(x)
        outer = self.second(inner)
        return inner, outer, x + outer


def stretch_maps(maps: Tensor) -> Tensor:
    """Return maps (N, C, H, W) stretched to 0 … 1 each; a flat map is 0.

    The range is a constant to the gradient.
    """
    low, span = _measure_range(maps)
    return (maps - low) / span


def fuse_maps(maps: Tensor, weights: Tensor) -> Tensor:
    """Return sums of the normalised maps (N, C, H, W) by `weights` (K, C): (N, K, H, W).

    The same as of `stretch_maps`, without these in memory.
    """
    low, span = _measure_range(maps)
    scaled = weights / span.flatten(1)[:, None]
    offset = (scaled * low.flatten(1)[:, None]).sum(2)
    return torch.einsum("nkc,nchw->nkhw", scaled, maps) - offset[..., None, None]


@torch.no_grad()
def _measure_range(maps: Tensor) -> tuple[Tensor, Tensor]:
    """Return the least value of each map, and what to divide by, (N, C, 1, 1) each."""
    low = maps.amin((2, 3), keepdim=True)
    return low, (maps.amax((2, 3), keepdim=True) - low).clamp_min(FLAT_RANGE)


def _make_layer(before: int, after: int, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    layer = nn.Conv2d(before, after, 3, stride, padding=dilation, dilation=dilation, bias=False)
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    return nn.Sequential(layer, nn.BatchNorm2d(after), nn.ReLU())


def _shrink(picture: Tensor, factor: int) -> Tensor:
    return F.avg_pool2d(picture, factor) if factor > 1 else picture


def _resize_maps(maps: Tensor, size: Sequence[int]) -> Tensor:
    if tuple(maps.shape[-2:]) == tuple(size):
        return maps
    return F.interpolate(maps, tuple(size), mode="bilinear", align_corners=False)
