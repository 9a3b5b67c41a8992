"""What the training of a registration network depends on, and its presets."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from stainbridge.errors import InputError
from stainbridge.learn.config import TrainConfig
from stainbridge.nn.affine_net import AffineNetConfig
from stainbridge.nn.deformable import CONFIGS, DeformableNetConfig, DeformableNetName
from stainbridge.nn.multiscale_fcn import MultiscaleFCNConfig

Preset = Literal["small", "paper"]
Range = tuple[float, float]


@dataclass(frozen=True)
class AugmentConfig:
    """How pairs are varied; ranges are drawn from evenly, all from the seed.

    Both sections: turned by up to ± `turn_deg` and mirrored. Between them: `rotation_deg`, `scale`,
    `shear_deg`, and `shift` and `elastic` (root mean square) as shares of the picture's side, on
    `elastic_nodes` nodes across. `contrast`: the share of pictures whose grey values are replaced
    by a random curve, as no stain would; `noise`: the largest standard deviation of grain.
    """

    turn_deg: float = 180.0
    mirror: bool = True
    rotation_deg: Range = (0.0, 0.0)
    scale: Range = (1.0, 1.0)
    shear_deg: Range = (0.0, 0.0)
    shift: float = 0.0
    elastic: float = 0.0
    elastic_nodes: tuple[int, int] = (3, 8)
    contrast: float = 0.0
    noise: float = 0.0

    def __post_init__(self) -> None:
        if (
            min(self.scale) <= 0
            or min(self.shift, self.elastic, self.contrast, self.noise, *self.elastic_nodes) < 0
        ):
            raise InputError("augmentation must not be negative, scale must be positive", got=self)


@dataclass(frozen=True)
class GeneratedConfig:
    """Tissue generated where no data set is given: pairs `size_px` a side, at a pixel size drawn
    from `mpp`.

    `stains` are drawn from evenly; "random" is a contrast of chance; none named means the whole
    library and as many contrasts of chance. Any organ.
    """

    size_px: int = 640
    mpp: Range = (1.5, 8.0)
    stains: tuple[str, ...] = ()
    difficulty: Literal["easy", "real", "hard"] = "real"

    def __post_init__(self) -> None:
        if not 0 < self.mpp[0] <= self.mpp[1]:
            raise InputError("pixel sizes must be positive and in order", got=self.mpp)


@dataclass(frozen=True)
class PairsConfig:
    """What is seen of a pair: the whole section at `section_px` (longer side, drawn evenly), or,
    where `patch_px` is given, a square of so many pixels about a point of the tissue, at the
    section's resolution or at `mpp` µm a pixel.

    `square` sections have glass beside their shorter side, so that a batch can hold several. A
    patch has at least a share of `min_tissue`, where a few tries find one. Every pair is used for
    `reuse` samples, `at_hand` pairs are drawn from in turn. With `kept` only so many samples are
    ever made; see `KeptStream`.
    """

    section_px: tuple[int, int] = (256, 256)
    patch_px: int | None = None
    mpp: float | None = None
    min_tissue: float = 0.0
    square: bool = False
    reuse: int = 32
    at_hand: int = 8
    kept: int = 0
    augment: AugmentConfig = field(default_factory=AugmentConfig)

    def __post_init__(self) -> None:
        if min(self.section_px) < 32 or (self.patch_px is not None and self.patch_px < 32):
            raise InputError(
                "pictures are too small",
                expected="at least 32 px",
                got=(self.section_px, self.patch_px),
            )
        if min(self.reuse, self.at_hand) < 1 or (self.mpp is not None and self.mpp <= 0):
            raise InputError("reuse, at_hand and mpp must be positive")
        if self.kept < 0 or (self.kept and not self.square and self.patch_px is None):
            raise InputError(
                "kept samples are turned: patches or square sections only", got=self.kept
            )
        if not 0 <= self.min_tissue <= 1:
            raise InputError("min_tissue is a share", expected="0 to 1", got=self.min_tissue)


@dataclass(frozen=True)
class ObjectiveConfig:
    """The loss: `similarity` of the warped moving and the fixed section, `smoothness` times the
    regulariser of the field, and `truth` times the distance to the deformation that was applied, in
    percent of the picture's longer side.

    The papers train without the truth. `radius` is that of local windows in pixels.
    """

    similarity: Literal["ncc", "local-ncc", "nmi", "mind-ssc", "ngf"] = "ncc"
    radius: int = 4
    regulariser: Literal["tv", "diffusion", "bending", "curvature"] = "tv"
    smoothness: float = 0.0
    truth: float = 0.0


@dataclass(frozen=True)
class OptimiserConfig:
    """Adam with `rate`, multiplied by `decay` every `epoch_steps` steps."""

    rate: float = 1e-4
    decay: float = 1.0
    epoch_steps: int = 100

    def __post_init__(self) -> None:
        if self.rate <= 0 or self.decay <= 0 or self.epoch_steps < 1:
            raise InputError("rate, decay and epoch_steps must be positive", got=self)


@dataclass(frozen=True)
class AffineTraining:
    """Training the affine network."""

    train: TrainConfig = field(default_factory=TrainConfig)
    network: AffineNetConfig = field(default_factory=AffineNetConfig)
    pairs: PairsConfig = field(default_factory=PairsConfig)
    generated: GeneratedConfig = field(default_factory=GeneratedConfig)
    objective: ObjectiveConfig = field(default_factory=ObjectiveConfig)
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)

    @classmethod
    def preset(cls, name: Preset) -> AffineTraining:
        """ "paper": the paper's network, loss and rates; "small": for two CPU cores and a night."""
        network = AffineNetConfig.preset(name)
        spread = AugmentConfig(
            rotation_deg=(-15.0, 15.0),
            scale=(0.85, 1.18),
            shear_deg=(-4.0, 4.0),
            shift=0.06,
            elastic=0.01,
        )
        if name == "paper":
            return cls(
                TrainConfig(steps=11500, accumulate=10, workers=4),
                network,
                PairsConfig(section_px=(600, 2000), augment=spread),
                GeneratedConfig(2048),
                ObjectiveConfig("ncc"),
                OptimiserConfig(1e-4, 0.995, epoch_steps=23),  # 230 pairs are an epoch
            )
        left = AugmentConfig(  # by the search, or a little more
            rotation_deg=(-10.0, 10.0),
            scale=(0.9, 1.11),
            shear_deg=(-6.0, 6.0),
            shift=0.04,
            elastic=0.01,
        )
        contrast = AugmentConfig(**{**vars(left), "contrast": 0.3, "noise": 0.03})
        return cls(
            TrainConfig(steps=20000, batch=16, held=64),
            network,
            PairsConfig(
                section_px=(128, 128), square=True, kept=12000, at_hand=16, augment=contrast
            ),
            GeneratedConfig(256, mpp=(4.2, 22.0)),
            ObjectiveConfig("ncc", truth=2.0),
            OptimiserConfig(1e-3, 0.98),
        )


@dataclass(frozen=True)
class DeformableTraining:
    """Training a deformable network."""

    train: TrainConfig = field(default_factory=TrainConfig)
    network: DeformableNetConfig = field(default_factory=MultiscaleFCNConfig)
    pairs: PairsConfig = field(default_factory=PairsConfig)
    generated: GeneratedConfig = field(default_factory=GeneratedConfig)
    objective: ObjectiveConfig = field(default_factory=ObjectiveConfig)
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)

    @classmethod
    def preset(
        cls, name: Preset, network: DeformableNetName = "multiscale-fcn"
    ) -> DeformableTraining:
        """ "paper": CycGANRegNet's patches, loss and rate; "small": for two CPU cores and a night."""
        net: Any = CONFIGS[network].preset(name)
        if name == "paper":
            wide = AugmentConfig(rotation_deg=(-40.0, 30.0), shear_deg=(-40.0, 30.0), elastic=0.02)
            return cls(
                TrainConfig(steps=20000, batch=8, workers=4),
                net,
                PairsConfig(
                    section_px=(1024, 2048), patch_px=256, mpp=1.0, min_tissue=0.7, augment=wide
                ),
                GeneratedConfig(1536, mpp=(1.0, 1.0)),
                ObjectiveConfig("ncc", regulariser="tv", smoothness=0.1),
                OptimiserConfig(1e-4),
            )
        close = AugmentConfig(
            rotation_deg=(-3.0, 3.0),
            scale=(0.97, 1.03),
            shift=0.01,
            elastic=0.012,
            contrast=0.3,
            noise=0.03,
        )
        return cls(
            TrainConfig(steps=20000, batch=4),
            net,
            PairsConfig(section_px=(384, 768), patch_px=192, augment=close),
            GeneratedConfig(800),
            ObjectiveConfig("local-ncc", regulariser="diffusion", smoothness=1.0, truth=0.5),
            OptimiserConfig(1e-3, 0.99),
        )
