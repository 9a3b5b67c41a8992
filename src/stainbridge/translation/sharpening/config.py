"""What the training of a sharpening depends on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, ClassVar

from stainbridge.errors import InputError
from stainbridge.learn.config import TrainConfig
from stainbridge.nn.perceptual import PerceptualConfig
from stainbridge.nn.rrdb_generator import RRDBConfig
from stainbridge.nn.vgg_discriminator import VGGDiscriminatorConfig
from stainbridge.ranges import MAX_STEPS, PixelSize, Weight, Within, check_ranges
from stainbridge.translation.objectives.config import TrainingPreset
from stainbridge.translation.objectives.optimiser import AdamConfig


@dataclass(frozen=True)
class SharpenConfig:
    """ESRGAN's networks and the weights of its terms (Wang et al. 2018, eq. 3).

    The paper compares features of VGG-19, here they are VGG-16's of the same depth.
    """

    FORMER_NAMES: ClassVar[Mapping[str, str]] = {
        "feature": "perceptual_weight",
        "adversarial": "adversarial_weight",
        "pixel": "pixel_weight",
        "warm_steps": "warm_up_steps",
    }

    generator: RRDBConfig = field(default_factory=RRDBConfig)
    """The network that sharpens."""
    discriminator: VGGDiscriminatorConfig = field(default_factory=VGGDiscriminatorConfig)
    """The network that tells sharp tiles from sharpened ones."""
    perceptual: PerceptualConfig = field(
        default_factory=lambda: PerceptualConfig(layers=(12,), activated=False)
    )
    """The network of the perceptual loss; its features are compared before the ReLU."""
    perceptual_weight: Weight = 1.0
    """Weight of the perceptual loss."""
    adversarial_weight: Weight = 5e-3
    """Weight of the adversarial loss."""
    pixel_weight: Weight = 1e-2
    """Weight of the mean absolute difference of pixels."""
    warm_up_steps: Annotated[int, Within(0, MAX_STEPS)] = 100_000
    """Steps at first that minimise the difference of pixels alone."""
    optimiser: AdamConfig = field(
        default_factory=lambda: AdamConfig(1e-4, (0.9, 0.99), 200_000, 300_000)
    )
    """Optimiser of both networks."""
    mpp: PixelSize | None = None
    """Pixel size of the sharp tiles in µm; None where it is any."""

    def __post_init__(self) -> None:
        check_ranges(self)
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
        """Side of the sharp tiles that are trained on, in pixels."""
        return self.discriminator.side_px


@dataclass(frozen=True)
class SharpenTraining:
    """Settings of `train sharpen`."""

    FORMER_NAMES: ClassVar[Mapping[str, str]] = {"pixel_um": "mpp_range"}

    sharpen: SharpenConfig = field(default_factory=SharpenConfig)
    """Networks, weights and optimiser."""
    train: TrainConfig = field(default_factory=TrainConfig)
    """The run: steps, batch, device, intervals."""
    mpp_range: Annotated[tuple[float, float], Within(0, 100, above=True, rising=True)] = (0.5, 2.0)
    """Smallest and largest pixel size of generated tissue, in µm."""

    def __post_init__(self) -> None:
        check_ranges(self)

    @classmethod
    def preset(cls, preset: TrainingPreset, factor: int) -> SharpenTraining:
        """Return the settings to sharpen by `factor`.

        "paper" is as published, "small" for two CPU cores and an hour.
        """
        sharpen = SharpenConfig(
            RRDBConfig.preset(preset, factor), VGGDiscriminatorConfig.preset(preset)
        )
        return cls._small(sharpen) if preset == "small" else cls._paper(sharpen)

    @classmethod
    def _paper(cls, sharpen: SharpenConfig) -> SharpenTraining:
        train = TrainConfig(
            steps=500_000,
            batch=16,
            workers=4,
            validation_samples=64,
            log_every=100,
            validate_every=5000,
            save_every=5000,
            picture_every=5000,
            precision="auto",
        )
        return cls(sharpen, train)

    @classmethod
    def _small(cls, sharpen: SharpenConfig) -> SharpenTraining:
        small = replace(
            sharpen,
            perceptual=PerceptualConfig(layers=(3,), width=16, activated=False),
            warm_up_steps=2000,
            optimiser=AdamConfig(5e-4, (0.9, 0.99), 3000, 3000),
        )
        return cls(small, TrainConfig(6000, 8, validation_samples=32, log_every=50))

    def fit_to_steps(self, steps: int) -> SharpenTraining:
        """Return the same settings for a run of `steps`, the rate's schedule with it."""
        sharpen = replace(self.sharpen, optimiser=self.sharpen.optimiser.fit_to_steps(steps))
        return replace(self, sharpen=sharpen, train=replace(self.train, steps=steps))
