"""What the training of a translation is asked to do: run, networks and objective, tiles."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from stainbridge.errors import InputError
from stainbridge.learn.config import TrainConfig
from stainbridge.translation.objectives.config import ObjectiveName, Preset, TranslationConfig


@dataclass(frozen=True)
class TilesConfig:
    """How tiles come from what is there.

    `turned`: any way round and mirrored. `reverse` makes the second stain of the data the source.
    `min_tissue` is the share of a tile of a slide that should be tissue.
    """

    turned: bool = True
    reverse: bool = False
    min_tissue: float = 0.7

    def __post_init__(self) -> None:
        if not 0 <= self.min_tissue <= 1:
            raise InputError("min_tissue is a share", expected="0 to 1", got=self.min_tissue)


@dataclass(frozen=True)
class GeneratedTissue:
    """What is generated: organs of `phantom.organs`, the most that lies between the sections, and
    misalignment.

    `distance_um` 0 is one section stained twice. `shift` and `elastic` are misalignments as shares
    of a tile's side, `laboratory` how unlike laboratories are. `at_hand` blocks of tissue yield
    tiles in turn, `per_block` each.
    """

    organs: tuple[str, ...] = ("gland",)
    distance_um: float = 2.0
    shift: float = 0.01
    elastic: float = 0.008
    laboratory: float = 0.3
    per_block: int = 12
    at_hand: int = 8

    def __post_init__(self) -> None:
        if min(self.distance_um, self.shift, self.elastic, self.laboratory) < 0:
            raise InputError("distances must not be negative", got=self)
        if min(self.per_block, self.at_hand) < 1:
            raise InputError(
                "per_block and at_hand must be positive", got=(self.per_block, self.at_hand)
            )


@dataclass(frozen=True)
class TranslationTraining:
    """Training a translation."""

    translation: TranslationConfig
    train: TrainConfig = field(default_factory=TrainConfig)
    tiles: TilesConfig = field(default_factory=TilesConfig)
    generated: GeneratedTissue = field(default_factory=GeneratedTissue)

    @classmethod
    def preset(cls, objective: ObjectiveName, preset: Preset) -> TranslationTraining:
        """ "paper": the published networks, tiles and rates; "small": for two CPU cores and a night."""
        translation = TranslationConfig.preset(objective, preset)
        if preset == "small":
            optimiser = replace(
                translation.optimiser, rate=5e-4, steady_steps=3000, decay_steps=3000
            )
            train = TrainConfig(
                steps=6000, batch=4, held=32, log_every=50, precision="bf16", channels_last=True
            )
            return cls(replace(translation, tile_px=128, optimiser=optimiser), train)
        tile_px, batch, steps = PAPER[objective]
        train = TrainConfig(
            steps=steps,
            batch=batch,
            workers=4,
            held=64,
            log_every=100,
            validate_every=2000,
            save_every=2000,
            picture_every=2000,
            precision="bf16",
            channels_last=True,
        )
        return cls(replace(translation, tile_px=tile_px), train).lasting(steps)

    def lasting(self, steps: int) -> TranslationTraining:
        """The same for `steps`, the course of the rate with it."""
        optimiser = self.translation.optimiser.lasting(steps)
        translation = replace(self.translation, optimiser=optimiser)
        return replace(self, translation=translation, train=replace(self.train, steps=steps))


#: Side of tiles, batch and steps. Paired ones as pyramid pix2pix was trained on BCI: 100 epochs of
#: 3896 pairs.
PAPER: dict[ObjectiveName, tuple[int, int, int]] = {
    "cyclegan": (256, 1, 200_000),
    "cyclegan-perceptual": (256, 1, 200_000),
    "pix2pix": (1024, 2, 194_800),
    "pix2pix-unet": (1024, 2, 194_800),
    "pix2pixhd": (1024, 2, 194_800),
    "pyramid-pix2pix": (1024, 2, 194_800),
    "supervised-patchnce": (512, 1, 389_600),
}
