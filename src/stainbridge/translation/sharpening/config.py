"""What the training of a sharpening depends on."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from stainbridge.errors import InputError
from stainbridge.learn.config import TrainConfig
from stainbridge.nn.perceptual import PerceptualConfig
from stainbridge.nn.rrdb_generator import RRDBConfig
from stainbridge.nn.vgg_discriminator import VGGDiscriminatorConfig
from stainbridge.translation.objectives.optimiser import AdamConfig
from stainbridge.translation.objectives.config import TrainingPreset


@dataclass(frozen=True)
class SharpenConfig:
    """Weights of ESRGAN's terms (Wang et al. 2018, eq. 3), after `warm_steps` of the pixels' L1
    alone.

    Features are compared before activation. The paper's are VGG-19's, here VGG-16's at the same
    depth. `mpp` is the pixel size of what is put out, None where it is any.
    """

    generator: RRDBConfig = field(default_factory=RRDBConfig)
    discriminator: VGGDiscriminatorConfig = field(default_factory=VGGDiscriminatorConfig)
    perceptual: PerceptualConfig = field(
        default_factory=lambda: PerceptualConfig(layers=(12,), activated=False)
    )
    feature: float = 1.0
    adversarial: float = 5e-3
    pixel: float = 1e-2
    warm_steps: int = 100_000
    optimiser: AdamConfig = field(
        default_factory=lambda: AdamConfig(1e-4, (0.9, 0.99), 200_000, 300_000)
    )
    mpp: float | None = None

    def __post_init__(self) -> None:
        if min(self.feature, self.adversarial, self.pixel, self.warm_steps) < 0:
            raise InputError("weights and steps must not be negative", got=self)
        if self.generator.channels != self.discriminator.channels:
            got = self.discriminator.channels
            raise InputError(
                "generator and discriminator differ in channels",
                expected=self.generator.channels,
                got=got,
            )
        if self.tile_px % self.generator.factor:
            raise InputError(
                "tiles must divide by the factor", expected=self.generator.factor, got=self.tile_px
            )

    @property
    def tile_px(self) -> int:
        """The side of the sharp tiles that are trained on."""
        return self.discriminator.side_px


@dataclass(frozen=True)
class SharpenTraining:
    """Training a sharpening; `pixel_um` is the range of pixel sizes that generated tissue is drawn
    at.
    """

    sharpen: SharpenConfig = field(default_factory=SharpenConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    pixel_um: tuple[float, float] = (0.5, 2.0)

    @classmethod
    def preset(cls, preset: TrainingPreset, factor: int) -> SharpenTraining:
        """ "paper": as published; "small": for two CPU cores and an hour."""
        sharpen = SharpenConfig(
            RRDBConfig.preset(preset, factor), VGGDiscriminatorConfig.preset(preset)
        )
        if preset == "paper":
            every = 5000
            train = TrainConfig(
                500_000, 16, workers=4, validation_samples=64, log_every=100, validate_every=every, save_every=every,
                picture_every=every, precision="bf16",
            )  # fmt: skip
            return cls(sharpen, train)
        small = replace(
            sharpen,
            perceptual=PerceptualConfig(layers=(3,), width=16, activated=False),
            warm_steps=2000,
            optimiser=AdamConfig(5e-4, (0.9, 0.99), 3000, 3000),
        )
        return cls(small, TrainConfig(6000, 8, validation_samples=32, log_every=50))

    def fit_to_steps(self, steps: int) -> SharpenTraining:
        """The same for `steps`, the course of the rate with it."""
        sharpen = replace(self.sharpen, optimiser=self.sharpen.optimiser.fit_to_steps(steps))
        return replace(self, sharpen=sharpen, train=replace(self.train, steps=steps))
