"""Translation and registration as one network from two modalities to a displacement field."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from stainbridge.nn.fields import DeformableNet, Fields
from stainbridge.nn.resnet_generator import ResNetGenerator
from stainbridge.nn.unet_svf import UNetSVF

#: Width of the rim around the tissue where the translated picture is kept, in pixels.
RIM_PX = 3


class SynthByReg(DeformableNet):
    """R(fixed, G(moving)); without a generator R(fixed, moving)."""

    def __init__(self, registration: UNetSVF, generator: ResNetGenerator | None) -> None:
        super().__init__()
        self.registration = registration
        self.generator = generator
        self.period = registration.period
        if generator is not None:
            self.period = math.lcm(registration.period, generator.period)

    @property
    def reach(self) -> int:
        """How far away, in pixels, a pixel can influence the field, but for the displacement."""
        own = 0 if self.generator is None else self.generator.reach
        return self.registration.reach + own

    def synthesise(self, moving: Tensor) -> Tensor:
        """Return moving pictures (N, 1, H, W) in the fixed contrast; 0 off the tissue."""
        if self.generator is None:
            return moving
        return translate(self.generator, moving)

    def fields(self, fixed: Tensor, moving: Tensor) -> Fields:
        """Return the fields of pictures whose sides are multiples of `period`."""
        return self.registration.fields(fixed, self.synthesise(moving))


def translate(generator: ResNetGenerator, pictures: Tensor) -> Tensor:
    """Return pictures (N, 1, H, W), 0 … 1, in the other contrast; 0 off the tissue.

    The tissue is where a picture is not 0, with a rim around it.
    """
    return torch.as_tensor(generator(pictures)) * dilate(pictures > 0, RIM_PX)


def dilate(mask: Tensor, radius: int) -> Tensor:
    """Return masks (N, 1, H, W), grown by a square of `radius` pixels, as 0 and 1."""
    return F.max_pool2d(mask.float(), 2 * radius + 1, stride=1, padding=radius)
