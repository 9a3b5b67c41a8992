"""What the training of segmentation-augmented registration is asked to do."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Annotated, Literal, TypeAlias

from stainbridge.errors import InputError
from stainbridge.joint.sar.comparator import ComparatorConfig
from stainbridge.learn.config import TrainConfig
from stainbridge.nn.perceptual import ALL_LAYERS, PerceptualConfig
from stainbridge.nn.sar_discriminator import SarDiscriminatorConfig
from stainbridge.nn.sar_generator import SarGeneratorConfig
from stainbridge.phantom.pairs.config import check_slide_size
from stainbridge.ranges import (
    MAX_STEPS,
    PartialShare,
    PixelSize,
    Rate,
    Share,
    Weight,
    Within,
    check_ranges,
)

SarPreset: TypeAlias = Literal["small", "paper"]

#: Channels of VGG-16's first block, which its trained weights need.
VGG_WIDTH = 64
#: The same of the untrained stand-in in the small preset.
STAND_IN_WIDTH = 16
#: Side of the paper's pictures, in pixels, which its displacements refer to.
PAPER_SIZE_PX = 512
#: Least side of the pictures: SSIM's window and the discriminator's halvings need so much.
MIN_SIZE_PX = 32


@dataclass(frozen=True)
class SarPairsConfig:
    """How training pairs are made: a reference, and the same or another picture, deformed.

    Raises `InputError` for numbers that make no pairs.
    """

    size_px: Annotated[int, Within(MIN_SIZE_PX, 8192)] = PAPER_SIZE_PX
    """Side of the square pictures, in pixels. A margin of a twelfth on each side is black."""
    displacement_px: Annotated[tuple[float, float], Within(0, 500, above=True, rising=True)] = (
        1.0,
        20.0,
    )
    """Range of a field's longest displacement, in pixels of a picture of 512 px."""
    nodes: Annotated[tuple[int, int], Within(1, 64, rising=True)] = (4, 8)
    """Range of the number of B-spline nodes along a side; the paper does not give it."""
    others: Share = 0.0
    """Share of pairs whose floating picture is another one, affinely aligned by its mask.

    Their field is not known, so the field term leaves them out."""
    turn: bool = False
    """Whether pairs are turned by right angles and mirrored at random."""
    contrast: Annotated[float, Within(0, 10)] = 0.0
    """Standard deviation of the logarithm of a random gamma of each picture; 0: as they are."""

    def __post_init__(self) -> None:
        check_ranges(self)


@dataclass(frozen=True)
class SarLossConfig:
    """The terms of the loss and their weights; the paper's are the defaults.

    The paper's equation 6 has weight 1 for all terms but the cycle's. Raises `InputError` for
    negative weights.
    """

    nmi_weight: Weight = 1.0
    """Weight of the missing normalised mutual information (equation 2)."""
    ssim_weight: Weight = 1.0
    """Weight of the missing structural similarity (equation 2)."""
    perceptual_weight: Weight = 1.0
    """Weight of the distance of VGG-16's maps (equation 2)."""
    adversarial_weight: Weight = 1.0
    """Weight of both discriminators' judgement (equation 3, both directions)."""
    cycle_weight: Weight = 10.0
    """Weight of what a picture lacks that went there and back, λ (equations 4 and 6)."""
    dice_weight: Weight = 1.0
    """Weight of the logarithm of the masks' Dice (equation 5); 0 without segmentation."""
    field_weight: Weight = 1.0
    """Weight of the logarithm of the fields' normalised squared error (equation 5)."""
    smoothness_weight: Weight = 0.0
    """Weight of the field's diffusion; the paper has no such term."""
    content_shrink: Annotated[int, Within(1, 64)] = 1
    """Pixels along a side averaged to one before NMI and SSIM; 1 in the paper."""
    perceptual_px: Annotated[int, Within(0, 8192)] = 0
    """Side that pictures are shrunk to before VGG-16; 0, as in the paper: their own."""
    perceptual: PerceptualConfig = field(
        default_factory=lambda: PerceptualConfig(layers=ALL_LAYERS)
    )
    """VGG-16: its file of weights, or the seeded stand-in, and its layers, all 13 in the paper."""

    def __post_init__(self) -> None:
        check_ranges(self)

    @property
    def has_masks(self) -> bool:
        """Whether masks take part."""
        return self.dice_weight > 0

    def with_perceptual_weights(self, weights: str) -> SarLossConfig:
        """Return the same with a file of VGG-16's weights."""
        network = replace(self.perceptual, weights=weights, width=VGG_WIDTH)
        return replace(self, perceptual=network)


@dataclass(frozen=True)
class SarOptimiserConfig:
    """Adam for the generator and for the discriminators. Raises `InputError` for bad numbers."""

    rate: Rate = 1e-3
    """Initial learning rate."""
    beta1: PartialShare = 0.93
    """Decay of the mean of gradients."""
    decay: Annotated[float, Within(0, 10, above=True)] = 1.0
    """Factor on the rate after each epoch; 1 in the paper."""
    epoch_steps: Annotated[int, Within(1, MAX_STEPS)] = 100
    """Steps in an epoch."""

    def __post_init__(self) -> None:
        check_ranges(self)


@dataclass(frozen=True)
class SarGeneratedConfig:
    """The tissue that is generated where no pictures are given. Raises `InputError` for bad sizes.

    Its mask is the tissue.
    """

    slide_px: Annotated[int, Within(64, 16384)] = 512
    """Side of a generated slide, in pixels."""
    mpp: PixelSize = 8.0
    """Pixel size in µm."""
    slides: Annotated[int, Within(1, 10000)] = 32
    """Slides to train on; each step draws pairs from them."""

    def __post_init__(self) -> None:
        check_ranges(self)
        check_slide_size(self.slide_px, self.mpp, "slide_px")


@dataclass(frozen=True)
class SarTraining:
    """Settings of `train sar`."""

    train: TrainConfig = field(default_factory=TrainConfig)
    """The run."""
    generator: SarGeneratorConfig = field(default_factory=SarGeneratorConfig)
    """The generator, which serves both directions: G, and F with exchanged pictures."""
    discriminator: SarDiscriminatorConfig = field(default_factory=SarDiscriminatorConfig)
    """Both discriminators, of registered reference and of registered floating pictures."""
    pairs: SarPairsConfig = field(default_factory=SarPairsConfig)
    """How pairs are made."""
    loss: SarLossConfig = field(default_factory=SarLossConfig)
    """The terms of the loss."""
    optimiser: SarOptimiserConfig = field(default_factory=SarOptimiserConfig)
    """The optimisers."""
    generated: SarGeneratedConfig = field(default_factory=SarGeneratedConfig)
    """What is generated where no pictures are given."""
    split: str = ""
    """A table of names and parts; empty: every fifth picture is validated on."""
    comparator: ComparatorConfig | None = None
    """Another network on the same pairs, in place of the generator and the loss; None: SAR."""

    def __post_init__(self) -> None:
        period = self.generator.shrink * 2**self.generator.halvings
        if self.pairs.size_px % period:
            raise InputError(
                "pairs: size_px does not fit the generator",
                expected=f"a multiple of {period}",
                got=self.pairs.size_px,
            )

    @classmethod
    def preset(cls, name: SarPreset) -> SarTraining:
        """Return "paper": 512 px and 10⁵ updates as published; or "small", for two CPU cores.

        The paper initialises the generator by 10⁵ updates of the squared error alone. A run with
        only `field_weight` set, and its weights as another run's start, is that; it is no part of
        the preset.
        """
        if name == "paper":
            train = TrainConfig(
                steps=100_000,
                batch=8,
                workers=4,
                validation_samples=64,
                log_every=100,
                validate_every=2000,
                save_every=2000,
                picture_every=2000,
            )
            return cls(train)
        return cls(
            TrainConfig(
                steps=6000, batch=2, validation_samples=16, channels_last=True, average=0.99
            ),
            SarGeneratorConfig.preset(name),
            SarDiscriminatorConfig.preset(name),
            SarPairsConfig(size_px=192, others=0.25, turn=True, contrast=0.2),
            SarLossConfig(
                adversarial_weight=0.1,
                field_weight=4.0,
                smoothness_weight=1.0,
                content_shrink=2,
                perceptual_px=64,
                perceptual=PerceptualConfig(layers=ALL_LAYERS, width=STAND_IN_WIDTH),
            ),
            SarOptimiserConfig(decay=0.98),
        )

    def without_segmentation(self) -> SarTraining:
        """Return the same without masks and without the Dice term."""
        return replace(self, loss=replace(self.loss, dice_weight=0.0))

    def with_comparator(self, preset: SarPreset, network: str) -> SarTraining:
        """Return the same pairs for another network, which needs no perceptual network."""
        loss = replace(self.loss, perceptual_weight=0.0)
        return replace(self, loss=loss, comparator=ComparatorConfig.preset(preset, network))
