"""What the training of a translation depends on: networks, objective, optimiser, tiles."""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, ClassVar, Literal, Self

from stainbridge.errors import InputError
from stainbridge.nn.generators import GeneratorConfig
from stainbridge.nn.multiscale_discriminator import MultiscaleDiscriminatorConfig
from stainbridge.nn.normalisation import Norm
from stainbridge.ranges import PixelSize, Within, check_ranges
from stainbridge.translation.objectives.optimiser import AdamConfig
from stainbridge.translation.objectives.table import load_objective, objective_kinds

TrainingPreset = Literal["small", "paper"]


class TranslationObjectiveConfig(ABC):
    """Weights of an objective's terms. Subclasses are frozen dataclasses with a `kind` each."""

    kind: str
    """The subclass's name in files."""
    needs_pairs: ClassVar[bool] = True
    """Whether source and target tiles must show the same tissue."""
    conditional: ClassVar[bool] = False
    """Whether the discriminator is shown the source beside the target."""
    weighs_pairs: ClassVar[bool] = False
    """Whether terms compare fake and target place by place, each pair by its own weight."""
    selection_measure: ClassVar[str] = "coarse_l1"
    """The measure of held-out tiles by which the best weights are chosen; lower is better."""

    @classmethod
    def kinds(cls) -> Mapping[str, type[TranslationObjectiveConfig]]:
        """Return the subclasses of the table of objectives by `kind`; files are read by it."""
        return objective_kinds()

    @property
    def perceptual_network(self) -> str | None:
        """Name of the network whose features are compared; None without a perceptual loss."""
        return None

    def with_perceptual_weights(self, weights: str) -> Self:
        """Return the same with a file of VGG-16's weights for the perceptual loss.

        Raises `InputError` for an objective without a perceptual loss.
        """
        raise InputError(
            "the objective has no perceptual loss", where=weights, expected="cyclegan-perceptual"
        )

    def check_networks(self, config: TranslationConfig) -> None:
        """Raise `InputError` for networks that this objective cannot train."""
        source, target = config.channels
        seen = source + target if self.conditional else target
        if config.discriminator.patch.channels != seen:
            raise InputError(
                "the discriminator has other channels than it is shown",
                expected=seen,
                got=config.discriminator.patch.channels,
            )


@dataclass(frozen=True)
class TranslationConfig:
    """A translation from one stain to another, and how it is learned."""

    generator: GeneratorConfig
    """The network that translates."""
    discriminator: MultiscaleDiscriminatorConfig
    """The network that tells real tiles from translated ones."""
    objective: TranslationObjectiveConfig
    """Weights of the loss's terms."""
    optimiser: AdamConfig = field(default_factory=AdamConfig)
    """Optimiser of all networks."""
    tile_px: Annotated[int, Within(1, 8192)] = 256
    """Side of a training tile, in pixels."""
    mpp: PixelSize | None = None
    """Pixel size of the tiles in µm; None where it is not known."""
    name: str = ""
    """The published objective's name in the table; "" for another."""
    source: str = "source"
    """The stain to translate from."""
    target: str = "target"
    """The stain to translate to."""

    def __post_init__(self) -> None:
        check_ranges(self)
        self.objective.check_networks(self)

    @property
    def channels(self) -> tuple[int, int]:
        """Channels of source and of target."""
        return self.generator.source_channels, self.generator.target_channels

    @property
    def norm(self) -> Norm:
        """The generator's normalisation."""
        return self.generator.norm

    @classmethod
    def preset(cls, name: str, preset: TrainingPreset = "paper") -> TranslationConfig:
        """Return a published objective with its networks, or with small ones.

        Raises `InputError` for a name that the table of objectives lacks.
        """
        return replace(load_objective(name).preset(preset), name=name)
