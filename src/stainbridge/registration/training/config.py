"""What the training of a registration network depends on, and its presets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal, TypeAlias

from stainbridge.errors import InputError
from stainbridge.learn.config import TrainConfig
from stainbridge.nn.affine import AffineNetworkConfig
from stainbridge.nn.affine_net import AffineNetConfig
from stainbridge.nn.deformable import (
    DeformableNetConfig,
    deformable_preset,
)
from stainbridge.nn.multiscale_fcn import MultiscaleFCNConfig
from stainbridge.ranges import MAX_STEPS, PixelSize, Rate, Share, Weight, Within, check_ranges
from stainbridge.similarity.similarities import find_similarity

#: "small": for two CPU cores and a night; "paper": as published.
TrainingPreset: TypeAlias = Literal["small", "paper"]
#: The least and the largest value of a range; values are drawn evenly between them.
Range: TypeAlias = tuple[float, float]


@dataclass(frozen=True)
class AugmentConfig:
    """How pairs are varied; values are drawn evenly from ranges, all from the seed.

    Raises `InputError` for negative amounts.
    """

    turn_deg: Annotated[float, Within(0, 180)] = 180.0
    """Largest rotation of both sections together, in degrees, either way."""
    mirror: bool = True
    """Whether half of the pairs are mirrored, both sections together."""
    rotation_deg: Annotated[Range, Within(-180, 180, rising=True)] = (0.0, 0.0)
    """Rotation between the sections, in degrees."""
    scale: Annotated[Range, Within(0, 10, above=True, rising=True)] = (1.0, 1.0)
    """Scale between the sections."""
    shear_deg: Annotated[Range, Within(-80, 80, rising=True)] = (0.0, 0.0)
    """Shear between the sections, in degrees."""
    shift: Share = 0.0
    """Largest shift between the sections along x and y, as a share of the picture's longer side."""
    elastic: Share = 0.0
    """Root mean square of the elastic deformation, as a share of the picture's longer side."""
    elastic_nodes: Annotated[tuple[int, int], Within(2, 64, rising=True)] = (3, 8)
    """Least and largest number of nodes across the picture of the elastic deformation."""
    contrast: Share = 0.0
    """Share of pictures whose grey values are replaced by a random curve, as no stain would."""
    noise: Annotated[float, Within(0, 10)] = 0.0
    """Largest standard deviation of grain, in density; 0 also leaves gamma and evenness alone."""

    def __post_init__(self) -> None:
        check_ranges(self)


@dataclass(frozen=True)
class GeneratedConfig:
    """The tissue that is generated where no data set is given, of any organ.

    Raises `InputError` for pixel sizes that are not in order.
    """

    size_px: Annotated[int, Within(64, 16384)] = 640
    """Side of the generated slides in pixels."""
    mpp: Annotated[Range, Within(0, 1000, above=True, rising=True)] = (1.5, 8.0)
    """Range of pixel sizes in µm; their logarithm is drawn evenly."""
    stains: tuple[str, ...] = ()
    """Names of stains; "random" is a random contrast. None: the whole library, half random."""
    difficulty: Literal["easy", "real", "hard"] = "real"
    """How much damage and variation the generated sections have."""

    def __post_init__(self) -> None:
        check_ranges(self)


@dataclass(frozen=True)
class PairsConfig:
    """What is seen of a pair of slides: the whole section, or a square patch of it.

    Raises `InputError` for pictures that are too small and for samples that cannot be stored.
    """

    #: Names of fields in files that version 0.1.0 wrote.
    FORMER_NAMES: ClassVar[Mapping[str, str]] = {
        "at_hand": "cached_pairs",
        "kept": "stored_samples",
    }

    section_px: Annotated[tuple[int, int], Within(32, 8192, rising=True)] = (256, 256)
    """Least and largest size of the whole section along its longer side, in pixels."""
    patch_px: Annotated[int | None, Within(32, 8192)] = None
    """Side of square patches about a point of the tissue, in pixels; None: whole sections."""
    mpp: PixelSize | None = None
    """Pixel size in µm; None: as `section_px` makes it."""
    min_tissue: Share = 0.0
    """Least share of tissue in a patch, where a few tries find such a patch."""
    square: bool = False
    """Whether sections have glass beside their shorter side, so that a batch can hold several."""
    reuse: Annotated[int, Within(1, 1_000_000)] = 32
    """Samples that are made from a prepared pair before it is replaced."""
    cached_pairs: Annotated[int, Within(1, 10000)] = 8
    """Prepared pairs that samples are made from in turn."""
    stored_samples: Annotated[int, Within(0, 10_000_000)] = 0
    """Samples that are made once, stored and shown again and again; 0: every sample is new."""
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    """How pairs are varied."""

    def __post_init__(self) -> None:
        check_ranges(self)
        are_square = self.square or self.patch_px is not None
        if self.stored_samples and not are_square:
            raise InputError(
                "stored samples are turned: patches or square sections only",
                got=self.stored_samples,
            )


@dataclass(frozen=True)
class LossConfig:
    """The loss: dissimilarity of the warped moving and the fixed section, and what is added to it.

    The papers train without the truth. Raises `InputError` for an unknown similarity.
    """

    similarity: str = "ncc"
    """Similarity of the warped moving and the fixed section: a name of `SIMILARITIES`."""
    radius: Annotated[int, Within(1, 64)] = 4
    """Radius of the windows of "local-ncc", in pixels."""
    regulariser: Literal["tv", "diffusion", "bending", "curvature"] = "tv"
    """Roughness of the field that is penalised."""
    smoothness: Weight = 0.0
    """Weight of the regulariser."""
    truth: Weight = 0.0
    """Weight of the distance to the applied deformation, in percent of the longer side."""

    def __post_init__(self) -> None:
        check_ranges(self)
        find_similarity(self.similarity)


@dataclass(frozen=True)
class OptimiserConfig:
    """Adam, whose rate decays by epochs."""

    rate: Rate = 1e-4
    """Initial learning rate."""
    decay: Annotated[float, Within(0, 10, above=True)] = 1.0
    """Factor on the rate after each epoch."""
    epoch_steps: Annotated[int, Within(1, MAX_STEPS)] = 100
    """Steps in an epoch."""

    def __post_init__(self) -> None:
        check_ranges(self)


@dataclass(frozen=True)
class AffineTraining:
    """Training the affine network."""

    train: TrainConfig = field(default_factory=TrainConfig)
    """The run."""
    network: AffineNetworkConfig = field(default_factory=AffineNetConfig)
    """The network."""
    pairs: PairsConfig = field(default_factory=PairsConfig)
    """What is seen of a pair."""
    generated: GeneratedConfig = field(default_factory=GeneratedConfig)
    """The tissue that is generated where no data set is given."""
    objective: LossConfig = field(default_factory=LossConfig)
    """The loss."""
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)
    """The optimiser."""

    @classmethod
    def preset(cls, name: TrainingPreset) -> AffineTraining:
        """Return "paper", the paper's network, loss and rates, or "small", for two CPU cores."""
        network = AffineNetConfig.preset(name)
        if name == "paper":
            return cls(
                TrainConfig(steps=11500, accumulate=10, workers=4),
                network,
                PairsConfig(section_px=(600, 2000), augment=PAPER_AFFINE_AUGMENT),
                GeneratedConfig(2048),
                LossConfig("ncc"),
                OptimiserConfig(1e-4, 0.995, epoch_steps=23),  # 230 pairs are an epoch
            )
        return cls(
            TrainConfig(steps=20000, batch=16, validation_samples=64),
            network,
            PairsConfig(
                section_px=(128, 128),
                square=True,
                stored_samples=12000,
                cached_pairs=16,
                augment=SMALL_AFFINE_AUGMENT,
            ),
            GeneratedConfig(256, mpp=(4.2, 22.0)),
            LossConfig("ncc", truth=2.0),
            OptimiserConfig(1e-3, 0.98),
        )


@dataclass(frozen=True)
class DeformableTraining:
    """Training a deformable network."""

    train: TrainConfig = field(default_factory=TrainConfig)
    """The run."""
    network: DeformableNetConfig = field(default_factory=MultiscaleFCNConfig)
    """The network, told apart by its `kind`."""
    pairs: PairsConfig = field(default_factory=PairsConfig)
    """What is seen of a pair."""
    generated: GeneratedConfig = field(default_factory=GeneratedConfig)
    """The tissue that is generated where no data set is given."""
    objective: LossConfig = field(default_factory=LossConfig)
    """The loss."""
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)
    """The optimiser."""

    @classmethod
    def preset(cls, name: TrainingPreset, network: str = "multiscale-fcn") -> DeformableTraining:
        """Return "paper", CycGANRegNet's patches, loss and rate, or "small", for two CPU cores."""
        network_config = deformable_preset(network, name)
        if name == "paper":
            return cls(
                TrainConfig(steps=20000, batch=8, workers=4),
                network_config,
                PairsConfig(
                    section_px=(1024, 2048),
                    patch_px=256,
                    mpp=1.0,
                    min_tissue=0.7,
                    augment=PAPER_DEFORMABLE_AUGMENT,
                ),
                GeneratedConfig(1536, mpp=(1.0, 1.0)),
                LossConfig("ncc", regulariser="tv", smoothness=0.1),
                OptimiserConfig(1e-4),
            )
        return cls(
            TrainConfig(steps=20000, batch=4),
            network_config,
            PairsConfig(section_px=(384, 768), patch_px=192, augment=SMALL_DEFORMABLE_AUGMENT),
            GeneratedConfig(800),
            LossConfig("local-ncc", regulariser="diffusion", smoothness=1.0, truth=0.5),
            OptimiserConfig(1e-3, 0.99),
        )


#: How far apart the affine paper's sections are after its search for the rotation.
PAPER_AFFINE_AUGMENT = AugmentConfig(
    rotation_deg=(-15.0, 15.0),
    scale=(0.85, 1.18),
    shear_deg=(-4.0, 4.0),
    shift=0.06,
    elastic=0.01,
)
#: What stainbridge's search leaves, or a little more.
SMALL_AFFINE_AUGMENT = AugmentConfig(
    rotation_deg=(-10.0, 10.0),
    scale=(0.9, 1.11),
    shear_deg=(-6.0, 6.0),
    shift=0.04,
    elastic=0.01,
    contrast=0.3,
    noise=0.03,
)
#: CycGANRegNet's ranges.
PAPER_DEFORMABLE_AUGMENT = AugmentConfig(
    rotation_deg=(-40.0, 30.0), shear_deg=(-40.0, 30.0), elastic=0.02
)
#: What an affine stage leaves.
SMALL_DEFORMABLE_AUGMENT = AugmentConfig(
    rotation_deg=(-3.0, 3.0),
    scale=(0.97, 1.03),
    shift=0.01,
    elastic=0.012,
    contrast=0.3,
    noise=0.03,
)
