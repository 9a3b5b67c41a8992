"""What the training of a translation depends on, and the published objectives by name."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias, get_args

from stainbridge.errors import InputError
from stainbridge.nn.coarse_to_fine_generator import CoarseToFineConfig
from stainbridge.nn.generators import GeneratorConfig
from stainbridge.nn.multiscale_discriminator import MultiscaleDiscriminatorConfig
from stainbridge.nn.normalisation import Norm
from stainbridge.nn.patchgan import PatchGANConfig
from stainbridge.nn.perceptual import PerceptualConfig
from stainbridge.nn.resnet_generator import ResNetConfig
from stainbridge.nn.unet_generator import UNetConfig
from stainbridge.translation.objectives.adversarial import Adversary

Preset = Literal["small", "paper"]
ObjectiveName = Literal[
    "cyclegan",
    "cyclegan-perceptual",
    "pix2pix",
    "pix2pix-unet",
    "pix2pixhd",
    "pyramid-pix2pix",
    "supervised-patchnce",
]
OBJECTIVES: tuple[ObjectiveName, ...] = get_args(ObjectiveName)


@dataclass(frozen=True)
class CycleConfig:
    """Weights of CycleGAN's terms beside its adversarial ones; `buffer` made pictures are shown
    again.

    `identity` is 0.5 times `cycle` where CycleGAN uses it. `feature` weighs the perceptual loss
    between a made picture and the one it was made from: 0 is plain CycleGAN, 1 with `cycle` 1 is
    CycGANRegNet's.
    """

    kind: Literal["cycle"] = "cycle"
    adversary: Adversary = "least-squares"
    cycle: float = 10.0
    identity: float = 0.0
    feature: float = 0.0
    buffer: int = 50
    perceptual: PerceptualConfig = field(default_factory=PerceptualConfig)

    def __post_init__(self) -> None:
        if min(self.cycle, self.identity, self.feature) < 0:
            raise InputError(
                "weights must not be negative", got=(self.cycle, self.identity, self.feature)
            )


@dataclass(frozen=True)
class PairedConfig:
    """Weights of the terms between a made picture and the real one, beside the conditional
    adversarial one.

    `pixel`: L1. `scales`: λ of S1, S2, ... (pyramid pix2pix). `matching`: the discriminator's
    features (pix2pixHD).
    """

    kind: Literal["paired"] = "paired"
    adversary: Adversary = "vanilla"
    pixel: float = 100.0
    scales: tuple[float, ...] = ()
    matching: float = 0.0

    def __post_init__(self) -> None:
        if min(self.pixel, *self.scales, self.matching) < 0:
            raise InputError(
                "weights must not be negative", got=(self.pixel, self.scales, self.matching)
            )


@dataclass(frozen=True)
class ContrastConfig:
    """Weights of PatchNCE between made and source, of the adaptive one between made and target, and
    of `gaussian` L1.

    `levels` weigh full resolution and each halving below it. `places` a layer are compared, by
    vectors of `width`.
    """

    kind: Literal["contrast"] = "contrast"
    adversary: Adversary = "least-squares"
    source: float = 10.0
    target: float = 10.0
    gaussian: float = 10.0
    levels: tuple[float, ...] = (1 / 64, 1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0)
    places: int = 256
    width: int = 256

    def __post_init__(self) -> None:
        if min(self.source, self.target, self.gaussian, *self.levels) < 0:
            raise InputError(
                "weights must not be negative",
                got=(self.source, self.target, self.gaussian, self.levels),
            )
        if self.places < 2 or self.width < 1:
            raise InputError("a contrast needs two places", got=(self.places, self.width))


ObjectiveConfig: TypeAlias = CycleConfig | PairedConfig | ContrastConfig


@dataclass(frozen=True)
class AdamConfig:
    """Adam at `rate` for `steady_steps`, then linearly to nothing over `decay_steps` (none: steady
    for ever).
    """

    rate: float = 2e-4
    betas: tuple[float, float] = (0.5, 0.999)
    steady_steps: int = 50_000
    decay_steps: int = 50_000

    def __post_init__(self) -> None:
        if self.rate <= 0 or min(self.steady_steps, self.decay_steps) < 0:
            raise InputError("the rate must be positive and steps not negative", got=self)

    def factor(self, step: int) -> float:
        """What the rate is multiplied by at `step`."""
        if not self.decay_steps:
            return 1.0
        return max(0.0, 1 - max(0, step - self.steady_steps) / self.decay_steps)

    def lasting(self, steps: int) -> AdamConfig:
        """The same course of the rate, stretched or shortened to end after `steps`; a steady one
        stays as it is.
        """
        if not self.decay_steps:
            return self
        decay = max(1, round(steps * self.decay_steps / (self.steady_steps + self.decay_steps)))
        return replace(self, steady_steps=steps - decay, decay_steps=decay)


@dataclass(frozen=True)
class TranslationConfig:
    """Networks, objective and optimiser; tiles are squares of `tile_px`, of `mpp` µm a pixel where
    that is known.

    `name` is the published objective's, `source` and `target` are the stains'.
    """

    generator: GeneratorConfig
    discriminator: MultiscaleDiscriminatorConfig
    objective: ObjectiveConfig
    optimiser: AdamConfig = field(default_factory=AdamConfig)
    tile_px: int = 256
    mpp: float | None = None
    name: str = ""
    source: str = "source"
    target: str = "target"

    def __post_init__(self) -> None:
        if self.tile_px < 1 or (self.mpp is not None and self.mpp <= 0):
            raise InputError(
                "tiles must have pixels, and these a size", got=(self.tile_px, self.mpp)
            )
        if isinstance(self.objective, ContrastConfig) and not isinstance(
            self.generator, ResNetConfig
        ):
            raise InputError(
                "PatchNCE compares a residual generator's features",
                expected="resnet",
                got=self.generator,
            )
        source, target = self.channels
        if isinstance(self.objective, CycleConfig) and source != target:
            raise InputError(
                "a cycle needs as many channels there as back", expected=source, got=target
            )
        judged = source + target if isinstance(self.objective, PairedConfig) else target
        if self.discriminator.patch.channels != judged:
            got = self.discriminator.patch.channels
            raise InputError(
                "the discriminator has other channels than it is shown", expected=judged, got=got
            )

    @property
    def channels(self) -> tuple[int, int]:
        """Of source and of target."""
        network = (
            self.generator.coarse
            if isinstance(self.generator, CoarseToFineConfig)
            else self.generator
        )
        return network.source_channels, network.target_channels

    @property
    def norm(self) -> Norm:
        """The generator's normalisation."""
        network = (
            self.generator.coarse
            if isinstance(self.generator, CoarseToFineConfig)
            else self.generator
        )
        return network.norm

    @classmethod
    def preset(cls, name: ObjectiveName, preset: Preset = "paper") -> TranslationConfig:
        """A published objective with its networks, or with `small` ones."""
        return replace(PUBLISHED[name](preset), name=name)


def _cyclegan(preset: Preset) -> TranslationConfig:
    return TranslationConfig(
        ResNetConfig.preset(preset), _patches(preset, 3, "instance"), CycleConfig(identity=5.0)
    )


def _cyclegan_perceptual(preset: Preset) -> TranslationConfig:
    objective = CycleConfig(cycle=1.0, feature=1.0)
    adam = AdamConfig(rate=1e-4, steady_steps=200_000, decay_steps=0)
    return TranslationConfig(
        ResNetConfig.preset(preset), _patches(preset, 3, "instance"), objective, adam
    )


def _resnet(preset: Preset) -> ResNetConfig:
    base = ResNetConfig.preset(preset)
    return ResNetConfig(width=base.width, blocks=base.blocks, norm="batch", dropout=0.5)


def _pix2pix(preset: Preset) -> TranslationConfig:
    return TranslationConfig(_resnet(preset), _patches(preset, 6, "batch"), PairedConfig())


def _pix2pix_unet(preset: Preset) -> TranslationConfig:
    return TranslationConfig(
        UNetConfig.preset(preset), _patches(preset, 6, "batch"), PairedConfig()
    )


def _pyramid_pix2pix(preset: Preset) -> TranslationConfig:
    objective = PairedConfig(pixel=25.0, scales=(25.0,))
    return TranslationConfig(_resnet(preset), _patches(preset, 6, "batch"), objective)


def _pix2pixhd(preset: Preset) -> TranslationConfig:
    patch = PatchGANConfig(width=PatchGANConfig.preset(preset).width, channels=6, padding=2)
    objective = PairedConfig(adversary="least-squares", pixel=0.0, matching=10.0)
    return TranslationConfig(
        CoarseToFineConfig.preset(preset), MultiscaleDiscriminatorConfig(patch=patch), objective
    )


def _supervised_patchnce(preset: Preset) -> TranslationConfig:
    return TranslationConfig(
        ResNetConfig.preset(preset), _patches(preset, 3, "instance"), ContrastConfig()
    )


def _patches(preset: Preset, channels: int, norm: Norm) -> MultiscaleDiscriminatorConfig:
    """One 70 x 70 PatchGAN."""
    width = PatchGANConfig.preset(preset).width
    return MultiscaleDiscriminatorConfig(
        scales=1, patch=PatchGANConfig(width=width, norm=norm, channels=channels)
    )


PUBLISHED = {
    "cyclegan": _cyclegan,
    "cyclegan-perceptual": _cyclegan_perceptual,
    "pix2pix": _pix2pix,
    "pix2pix-unet": _pix2pix_unet,
    "pix2pixhd": _pix2pixhd,
    "pyramid-pix2pix": _pyramid_pix2pix,
    "supervised-patchnce": _supervised_patchnce,
}
