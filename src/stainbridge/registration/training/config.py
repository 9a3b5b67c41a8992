"""What the training of a registration network depends on, and its presets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal, TypeAlias

from stainbridge.errors import InputError
from stainbridge.learn.config import TrainConfig
from stainbridge.nn.affine import AffineNetworkConfig
from stainbridge.nn.affine_net import AffineNetConfig
from stainbridge.nn.deformable import (
    DeformableNetConfig,
    deformable_preset,
)
from stainbridge.nn.multiscale_fcn import MultiscaleFCNConfig
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

    turn_deg: float = 180.0
    """Largest rotation of both sections together, in degrees, either way."""
    mirror: bool = True
    """Whether half of the pairs are mirrored, both sections together."""
    rotation_deg: Range = (0.0, 0.0)
    """Rotation between the sections, in degrees."""
    scale: Range = (1.0, 1.0)
    """Scale between the sections."""
    shear_deg: Range = (0.0, 0.0)
    """Shear between the sections, in degrees."""
    shift: float = 0.0
    """Largest shift between the sections along x and y, as a share of the picture's longer side."""
    elastic: float = 0.0
    """Root mean square of the elastic deformation, as a share of the picture's longer side."""
    elastic_nodes: tuple[int, int] = (3, 8)
    """Least and largest number of nodes across the picture of the elastic deformation."""
    contrast: float = 0.0
    """Share of pictures whose grey values are replaced by a random curve, as no stain would."""
    noise: float = 0.0
    """Largest standard deviation of grain, in density; 0 also leaves gamma and evenness alone."""

    def __post_init__(self) -> None:
        amounts = (self.shift, self.elastic, self.contrast, self.noise, *self.elastic_nodes)
        if min(self.scale) <= 0 or min(amounts) < 0:
            raise InputError("augmentation must not be negative, scale must be positive", got=self)


@dataclass(frozen=True)
class GeneratedConfig:
    """The tissue that is generated where no data set is given, of any organ.

    Raises `InputError` for pixel sizes that are not in order.
    """

    size_px: int = 640
    """Side of the generated slides in pixels."""
    mpp: Range = (1.5, 8.0)
    """Range of pixel sizes in µm; their logarithm is drawn evenly."""
    stains: tuple[str, ...] = ()
    """Names of stains; "random" is a random contrast. None: the whole library, half random."""
    difficulty: Literal["easy", "real", "hard"] = "real"
    """How much damage and variation the generated sections have."""

    def __post_init__(self) -> None:
        if not 0 < self.mpp[0] <= self.mpp[1]:
            raise InputError("pixel sizes must be positive and in order", got=self.mpp)


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

    section_px: tuple[int, int] = (256, 256)
    """Least and largest size of the whole section along its longer side, in pixels."""
    patch_px: int | None = None
    """Side of square patches about a point of the tissue, in pixels; None: whole sections."""
    mpp: float | None = None
    """Pixel size in µm; None: as `section_px` makes it."""
    min_tissue: float = 0.0
    """Least share of tissue in a patch, where a few tries find such a patch."""
    square: bool = False
    """Whether sections have glass beside their shorter side, so that a batch can hold several."""
    reuse: int = 32
    """Samples that are made from a prepared pair before it is replaced."""
    cached_pairs: int = 8
    """Prepared pairs that samples are made from in turn."""
    stored_samples: int = 0
    """Samples that are made once, stored and shown again and again; 0: every sample is new."""
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    """How pairs are varied."""

    def __post_init__(self) -> None:
        if min(self.section_px) < 32 or (self.patch_px is not None and self.patch_px < 32):
            raise InputError(
                "pictures are too small",
                expected="at least 32 px",
                got=(self.section_px, self.patch_px),
            )
        if min(self.reuse, self.cached_pairs) < 1 or (self.mpp is not None and self.mpp <= 0):
            raise InputError("reuse, cached_pairs and mpp must be positive")
        are_square = self.square or self.patch_px is not None
        if self.stored_samples < 0 or (self.stored_samples and not are_square):
            raise InputError(
                "stored samples are turned: patches or square sections only",
                got=self.stored_samples,
            )
        if not 0 <= self.min_tissue <= 1:
            raise InputError("min_tissue is a share", expected="0 to 1", got=self.min_tissue)


@dataclass(frozen=True)
class LossConfig:
    """The loss: dissimilarity of the warped moving and the fixed section, and what is added to it.

    The papers train without the truth. Raises `InputError` for an unknown similarity.
    """

    similarity: str = "ncc"
    """Similarity of the warped moving and the fixed section: a name of `SIMILARITIES`."""
    radius: int = 4
    """Radius of the windows of "local-ncc", in pixels."""
    regulariser: Literal["tv", "diffusion", "bending", "curvature"] = "tv"
    """Roughness of the field that is penalised."""
    smoothness: float = 0.0
    """Weight of the regulariser."""
    truth: float = 0.0
    """Weight of the distance to the applied deformation, in percent of the longer side."""

    def __post_init__(self) -> None:
        find_similarity(self.similarity)


@dataclass(frozen=True)
class OptimiserConfig:
    """Adam, whose rate decays by epochs."""

    rate: float = 1e-4
    """Initial learning rate."""
    decay: float = 1.0
    """Factor on the rate after each epoch."""
    epoch_steps: int = 100
    """Steps in an epoch."""

    def __post_init__(self) -> None:
        if self.rate <= 0 or self.decay <= 0 or self.epoch_steps < 1:
            raise InputError("rate, decay and epoch_steps must be positive", got=self)


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
