"""FlowNetS: strided convolutions down, and fields predicted at every scale on the way back up.

Dosovitskiy et al. 2015, "FlowNet: learning optical flow with convolutional networks",
arXiv:1504.06852, sections 3 and 4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from stainbridge.errors import InputError
from stainbridge.geometry.flow import resize
from stainbridge.nn.fields import DeformableNet, Fields, Term, make_regression
from stainbridge.ranges import Within, check_ranges

#: Sides of the first kernels; all further ones are 3 x 3.
FIRST_KERNELS_PX = (7, 5, 5)
#: From this halving on, a second convolution follows the strided one; not after the last.
FIRST_DOUBLED = 3
#: Halvings at which the finest field is predicted: a quarter of the resolution.
FINEST = 2
#: Slope of the ReLUs for values below 0, as in the authors' files.
NEGATIVE_SLOPE = 0.1


@dataclass(frozen=True)
class FlowNetSConfig:
    """Sizes of the network; the defaults are the paper's, with 29 million parameters.

    Raises `InputError` for sizes that make no network.
    """

    kind: Literal["flownet-s"] = "flownet-s"
    """Name of the network in its table."""
    widths: Annotated[tuple[int, ...], Within(1, 8192)] = (64, 128, 256, 512, 512, 1024)
    """Channels after each strided convolution.

    With six of them the network has nine convolutions: 7 x 7, 5 x 5, 5 x 5, and 3 x 3."""
    up: Annotated[tuple[int, ...], Within(1, 8192)] = (512, 256, 128, 64)
    """Channels after each upconvolution, up to a quarter of the resolution."""
    scale_weights: Annotated[tuple[float, ...], Within(0, 1e6)] = (0.25, 0.25, 0.25, 0.5, 1.0)
    """Weight in the loss of the field of each scale, the coarsest first.

    The authors' files weigh sums over the pixels of a scale by 0.32, 0.08, 0.02, 0.01 and 0.005.
    These are the same as weights of means, relative to the finest."""

    def __post_init__(self) -> None:
        check_ranges(self)
        if len(self.widths) <= FINEST or len(self.up) != len(self.widths) - FINEST:
            raise InputError(
                "one upconvolution for each strided convolution but two",
                expected=max(1, len(self.widths) - FINEST),
                got=len(self.up),
            )
        if len(self.scale_weights) != len(self.up) + 1:
            raise InputError(
                "a weight for each scale, none negative",
                expected=len(self.up) + 1,
                got=self.scale_weights,
            )

    @classmethod
    def preset(cls, name: str) -> FlowNetSConfig:
        """Return "paper", or "small" with 0.21 million parameters."""
        if name == "small":
            return cls(
                widths=(16, 24, 32, 48, 48), up=(48, 32, 24), scale_weights=(0.25, 0.25, 0.5, 1.0)
            )
        return cls()


class FlowNetS(DeformableNet):
    """Both pictures side by side, halved by strided convolutions and refined scale by scale."""

    def __init__(self, config: FlowNetSConfig) -> None:
        super().__init__()
        self.config = config
        self.period = 2 ** len(config.widths)
        before = (2, *config.widths[:-1])
        self.down = nn.ModuleList(
            _make_level(a, b, level, is_last=level == len(config.widths))
            for level, (a, b) in enumerate(zip(before, config.widths, strict=True), 1)
        )
        below = config.widths[-1]
        self.regress = nn.ModuleList([make_regression(below)])
        self.up = nn.ModuleList()
        self.up_field = nn.ModuleList()
        skips = config.widths[-2::-1]
        for channels, skip in zip(config.up, skips, strict=False):
            self.up.append(_make_upconvolution(below, channels))
            self.up_field.append(nn.ConvTranspose2d(2, 2, 4, 2, 1, bias=False))
            below = channels + skip + 2
            self.regress.append(make_regression(below))

    @property
    def reach(self) -> int:
        """The reach of every convolution, each at its resolution, in pixels."""
        levels = len(self.config.widths)
        strided = sum(_kernel_px(level) // 2 * 2 ** (level - 1) for level in range(1, levels + 1))
        doubled = sum(2**level for level in range(FIRST_DOUBLED, levels))
        regressions = sum(2**level for level in range(FINEST, levels + 1))
        upconvolutions = sum(2**level for level in range(FINEST + 1, levels + 1))
        enlargement = 2**FINEST
        reach: int = strided + doubled + regressions + upconvolutions + enlargement
        return reach

    def fields(self, fixed: Tensor, moving: Tensor) -> Fields:
        """Return the finest field, enlarged, and the fields of all scales to train on."""
        x = torch.cat([fixed, moving], 1)
        skips: list[Tensor] = []
        for layer in self.down:
            x = layer(x)
            skips.append(x)
        predicted = [self.regress[0](x)]
        refinements = zip(self.up, self.up_field, self.regress[1:], skips[-2::-1], strict=False)
        for up, up_field, regress, skip in refinements:
            x = torch.cat([skip, up(x), up_field(predicted[-1])], 1)
            predicted.append(regress(x))
        height, width = fixed.shape[-2:]
        displacements = [resize(field.float(), height, width) for field in predicted]
        weights = self.config.scale_weights
        terms = (Term(field, w, w) for field, w in zip(displacements, weights, strict=True))
        return Fields(displacements[-1], tuple(terms))


def _kernel_px(level: int) -> int:
    """Return the side of the kernel of the strided convolution number `level`, from 1."""
    return FIRST_KERNELS_PX[level - 1] if level <= len(FIRST_KERNELS_PX) else 3


def _make_level(before: int, after: int, level: int, is_last: bool) -> nn.Sequential:
    """Return a strided convolution and, where the paper has one, a second convolution."""
    side = _kernel_px(level)
    layers = [*_make_conv(before, after, side, stride=2)]
    if level >= FIRST_DOUBLED and not is_last:
        layers += _make_conv(after, after, 3)
    return nn.Sequential(*layers)


def _make_conv(before: int, after: int, side: int, stride: int = 1) -> tuple[nn.Module, ...]:
    layer = nn.Conv2d(before, after, side, stride, side // 2)
    # without normalisation, the default initialisation would let the deep layers fade away
    nn.init.kaiming_normal_(layer.weight, NEGATIVE_SLOPE)
    return layer, nn.LeakyReLU(NEGATIVE_SLOPE)


def _make_upconvolution(before: int, after: int) -> nn.Sequential:
    """Return a transposed convolution to twice the resolution."""
    layer = nn.ConvTranspose2d(before, after, 4, 2, 1)
    return nn.Sequential(layer, nn.LeakyReLU(NEGATIVE_SLOPE))
