"""What the training of a Synth-by-Reg model depends on, and its presets."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Annotated, Literal, TypeAlias

from stainbridge.joint.sbr.objective import SbrObjectiveConfig
from stainbridge.joint.sbr.optimiser import SliceOptimiserConfig
from stainbridge.joint.sbr.table import load_variant
from stainbridge.learn.config import TrainConfig
from stainbridge.nn.resnet_generator import ResNetConfig
from stainbridge.nn.unet_svf import UNetSVFConfig
from stainbridge.phantom.slices.config import SliceStackConfig
from stainbridge.ranges import MAX_STEPS, PartialShare, PixelSize, Share, Within, check_ranges

#: "small": for two CPU cores and two hours; "paper": as published.
SbrPreset: TypeAlias = Literal["small", "paper"]


#: Width of the preset "small": a quarter of the work of the paper's 32.
SMALL_WIDTH = 16


@dataclass(frozen=True)
class SliceAugmentConfig:
    """How slices are varied; all is drawn from the seed.

    Raises `InputError` for negative amounts.
    """

    nodes: Annotated[int, Within(2, 64)] = 9
    """Nodes along each side of the elastic deformation's grid."""
    elastic: Share = 0.01
    """Standard deviation of the nodes' displacements, as a share of the picture's longer side."""
    turn_deg: Annotated[float, Within(0, 180)] = 10.0
    """Largest rotation of both pictures together, in degrees, either way."""
    rotation_deg: Annotated[float, Within(0, 180)] = 2.0
    """Largest rotation between the pictures, in degrees, either way."""
    scale: PartialShare = 0.03
    """Largest change of scale between the pictures, as a share."""
    shift: Share = 0.01
    """Largest shift between the pictures, as a share of the longer side."""

    def __post_init__(self) -> None:
        check_ranges(self)


@dataclass(frozen=True)
class SlicesConfig:
    """What is seen of the slices. Raises `InputError` for pictures that are too small."""

    longest_px: Annotated[int, Within(32, 8192)] = 224
    """Longer side of the largest slice in pixels, where `mpp` is None."""
    mpp: PixelSize | None = None
    """Pixel size in µm; None: as `longest_px` makes it."""
    crop_px: Annotated[tuple[int, int] | None, Within(32, 8192)] = None
    """Height and width of random parts to train on; None: whole slices."""
    neighbours: Annotated[int, Within(1, 1000)] = 3
    """How far apart in the stack the slices are that R is trained to register."""
    generated_slices: Annotated[int, Within(1, 10000)] = 24
    """Slices that are generated where no data set is given."""
    generated: SliceStackConfig = field(default_factory=SliceStackConfig)
    """What slices are generated."""
    augment: SliceAugmentConfig = field(default_factory=SliceAugmentConfig)
    """How slices are varied."""

    def __post_init__(self) -> None:
        check_ranges(self)


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
    registration_steps: Annotated[int, Within(1, MAX_STEPS)] = 5000
    """Steps of R where it is trained first."""
    split: str = ""
    """A table of names and parts; "": all slices are trained on."""

    def __post_init__(self) -> None:
        check_ranges(self)
        load_variant(self.variant).check(self.objective)

    def of_registration(self) -> SbrTraining:
        """Return the training of the network R that this one takes: on the same slices."""
        own = SbrTraining.preset("small", "registration")
        batch = own.train.batch
        train = replace(self.train, steps=self.registration_steps, batch=batch)
        return replace(own, train=train, network=self.network, slices=self.slices, split=self.split)

    @classmethod
    def preset(cls, name: SbrPreset, variant: str = "sbr") -> SbrTraining:
        """Return "paper", or "small": half resolution, half the width, fewer steps, and LNCC.

        Raises `InputError` for a variant that the table lacks.
        """
        published = load_variant(variant)
        base = cls(
            variant=variant, objective=published.make_objective(), optimiser=published.optimiser
        )
        if name == "small":
            generator = replace(base.generator, width=SMALL_WIDTH)
            objective = base.objective.for_small()
            return replace(base, train=published.small, generator=generator, objective=objective)
        return replace(
            base,
            train=published.paper,
            slices=SlicesConfig(longest_px=448, crop_px=(384, 320)),
            registration_steps=20_000,
        )
