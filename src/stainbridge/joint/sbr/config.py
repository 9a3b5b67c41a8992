"""What the training of a Synth-by-Reg model depends on, and its presets."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from stainbridge.errors import InputError
from stainbridge.joint.sbr.objective import SbrObjectiveConfig
from stainbridge.joint.sbr.optimiser import SliceOptimiserConfig
from stainbridge.joint.sbr.table import load_variant
from stainbridge.learn.config import TrainConfig
from stainbridge.nn.resnet_generator import ResNetConfig
from stainbridge.nn.unet_svf import UNetSVFConfig
from stainbridge.phantom.slices.config import SliceStackConfig

#: "small": for two CPU cores and two hours; "paper": as published.
SbrPreset: TypeAlias = Literal["small", "paper"]


#: Width of the preset "small": a quarter of the work of the paper's 32.
SMALL_WIDTH = 16


@dataclass(frozen=True)
class SliceAugmentConfig:
    """How slices are varied; all is drawn from the seed.

    Raises `InputError` for negative amounts.
    """

    nodes: int = 9
    """Nodes along each side of the elastic deformation's grid."""
    elastic: float = 0.01
    """Standard deviation of the nodes' displacements, as a share of the picture's longer side."""
    turn_deg: float = 10.0
    """Largest rotation of both pictures together, in degrees, either way."""
    rotation_deg: float = 2.0
    """Largest rotation between the pictures, in degrees, either way."""
    scale: float = 0.03
    """Largest change of scale between the pictures, as a share."""
    shift: float = 0.01
    """Largest shift between the pictures, as a share of the longer side."""

    def __post_init__(self) -> None:
        amounts = (self.elastic, self.turn_deg, self.rotation_deg, self.scale, self.shift)
        if min(amounts) < 0 or self.nodes < 2 or self.scale >= 1:
            raise InputError("augmentation must not be negative, with at least 2 nodes", got=self)


@dataclass(frozen=True)
class SlicesConfig:
    """What is seen of the slices. Raises `InputError` for pictures that are too small."""

    longest_px: int = 224
    """Longer side of the largest slice in pixels, where `mpp` is None."""
    mpp: float | None = None
    """Pixel size in µm; None: as `longest_px` makes it."""
    crop_px: tuple[int, int] | None = None
    """Height and width of random parts to train on; None: whole slices."""
    neighbours: int = 3
    """How far apart in the stack the slices are that R is trained to register."""
    generated_slices: int = 24
    """Slices that are generated where no data set is given."""
    generated: SliceStackConfig = field(default_factory=SliceStackConfig)
    """What slices are generated."""
    augment: SliceAugmentConfig = field(default_factory=SliceAugmentConfig)
    """How slices are varied."""

    def __post_init__(self) -> None:
        if self.longest_px < 32 or (self.crop_px is not None and min(self.crop_px) < 32):
            raise InputError("pictures are too small", expected="at least 32 px", got=self)
        if min(self.neighbours, self.generated_slices) < 1:
            raise InputError("neighbours and generated_slices must be positive", got=self)


def _published_generator() -> ResNetConfig:
    """Return width 32, 6 residual blocks, 3 halvings, anti-aliased, as its authors train it."""
    return ResNetConfig(
        width=32,
        blocks=6,
        halvings=3,
        source_channels=1,
        target_channels=1,
        antialias=True,
        output="sigmoid",
    )


def _published_objective(variant: str) -> SbrObjectiveConfig:
    return load_variant(variant).make_objective()


@dataclass(frozen=True)
class SbrTraining:
    """Training a variant of Synth-by-Reg."""

    train: TrainConfig = field(default_factory=TrainConfig)
    """The run."""
    variant: str = "sbr"
    """The variant's name in the table."""
    objective: SbrObjectiveConfig = field(default_factory=lambda: _published_objective("sbr"))
    """Weights of the loss's terms, told apart by `kind`."""
    network: UNetSVFConfig = field(default_factory=UNetSVFConfig)
    """R, the registration network."""
    generator: ResNetConfig = field(default_factory=_published_generator)
    """G, the network that translates; a variant without synthesis has none."""
    slices: SlicesConfig = field(default_factory=SlicesConfig)
    """What is seen of the slices."""
    optimiser: SliceOptimiserConfig = field(default_factory=SliceOptimiserConfig)
    """The optimiser."""
    registration: str = ""
    """Run of the variant "registration" whose network R is; "": trained first, inside the run."""
    registration_steps: int = 5000
    """Steps of R where it is trained first."""
    split: str = ""
    """A table of names and parts; "": all slices are trained on."""

    def __post_init__(self) -> None:
        load_variant(self.variant).check(self.objective)
        if self.registration_steps < 1:
            raise InputError("registration_steps must be positive", got=self.registration_steps)

    def of_registration(self) -> SbrTraining:
        """Return the training of the network R that this one takes: on the same slices."""
        own = SbrTraining.preset("small", "registration")
        batch = own.train.batch
        train = replace(self.train, steps=self.registration_steps, batch=batch)
        return replace(own, train=train, network=self.network, slices=self.slices, split=self.split)

    @classmethod
    def preset(cls, name: SbrPreset, variant: str = "sbr") -> SbrTraining:
        """Return "paper", or "small": half resolution and fewer steps.

        Raises `InputError` for a variant that the table lacks.
        """
        published = load_variant(variant)
        base = cls(
            variant=variant, objective=published.make_objective(), optimiser=published.optimiser
        )
        if name == "small":
            generator = replace(base.generator, width=SMALL_WIDTH)
            return replace(base, train=published.small, generator=generator)
        return replace(
            base,
            train=published.paper,
            slices=SlicesConfig(longest_px=448, crop_px=(384, 320)),
            registration_steps=20_000,
        )
