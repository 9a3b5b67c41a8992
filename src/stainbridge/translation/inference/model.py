"""A trained translation, read from a run to be used."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from stainbridge.errors import InputError
from stainbridge.learn.checkpoint import check_task
from stainbridge.learn.weights import (
    NETWORKS_PREFIX,
    StoredWeights,
    build_stored,
    copy_weights,
    header_errors,
    read_weights,
)
from stainbridge.nn.generators import Generator, build_generator
from stainbridge.settings import build
from stainbridge.translation.objectives.config import TranslationConfig
from stainbridge.translation.objectives.task import GENERATOR, REVERSE_GENERATOR, TranslationTask


@dataclass(frozen=True, eq=False)
class Model:
    """Generators in eval mode, and what they were trained on.

    Pictures (N, channels, H, W) in −1 … 1 become pictures of the same size, whose sides are
    multiples of `period`.
    """

    path: Path
    """The file of weights."""
    objective: str
    """The published objective's name; "" for another."""
    source: str
    """The stain that it translates from."""
    target: str
    """The stain that it translates to."""
    source_channels: int
    """Channels of the source's pictures."""
    target_channels: int
    """Channels of the target's pictures."""
    mpp: float | None
    """Pixel size of the training tiles in µm; None where it was not known."""
    tile_px: int
    """Side of the training tiles, in pixels."""
    generator: Generator
    """The network from source to target."""
    reverse_generator: Generator | None = None
    """The network from target to source, where the objective learns it."""
    is_reversed: bool = False
    """Whether source and target are exchanged: the file's generator is the reverse one."""

    @property
    def period(self) -> int:
        """What the sides of a picture must be multiples of."""
        return self.generator.period

    def reverse(self) -> Model:
        """Return the translation from target to source.

        Raises `InputError` where it was not learned.
        """
        if self.reverse_generator is None:
            raise InputError(
                f"the model does not translate {self.target} to {self.source}",
                where=self.path,
                remedy="train with cyclegan, or with --reverse",
            )
        return replace(
            self,
            source=self.target,
            target=self.source,
            source_channels=self.target_channels,
            target_channels=self.source_channels,
            generator=self.reverse_generator,
            reverse_generator=self.generator,
            is_reversed=not self.is_reversed,
        )


def read_model(path: Path) -> Model:
    """Read the model of a RUN folder (the weights that measured best) or of a file of weights.

    Raises `InputError` when it is missing, truncated, of something other than a translation, or of
    another architecture.
    """
    stored = read_weights(path)
    check_task(stored, TranslationTask.name)
    with header_errors(stored):
        config = build(TranslationConfig, stored.settings, stored.path)
    reversible = any(key.startswith(_prefix(REVERSE_GENERATOR)) for key in stored.tensors)
    source_channels, target_channels = config.channels
    return Model(
        stored.path,
        config.name,
        config.source,
        config.target,
        source_channels,
        target_channels,
        config.mpp,
        config.tile_px,
        _load_generator(stored, config, GENERATOR),
        _load_generator(stored, config, REVERSE_GENERATOR) if reversible else None,
    )


def initialise_from(task: TranslationTask, path: Path) -> None:
    """Copy the networks of another run into a task.

    What has no parameters, such as a buffer of pictures, is left empty. Raises `InputError` as
    `read_model` does.
    """
    stored = read_weights(path)
    check_task(stored, task.name)
    networks = {
        name: network
        for name, network in task.networks.items()
        if any(True for _ in network.parameters())
    }
    copy_weights(_select(stored, *networks), networks)


def _load_generator(stored: StoredWeights, config: TranslationConfig, name: str) -> Generator:
    network = build_stored(stored, lambda: build_generator(config.generator))
    copy_weights(_select(stored, name), {name: network})
    return network.eval().requires_grad_(False)


def _select(stored: StoredWeights, *networks: str) -> StoredWeights:
    """Return the stored tensors of these networks alone."""
    prefixes = tuple(_prefix(name) for name in networks)
    tensors = {key: tensor for key, tensor in stored.tensors.items() if key.startswith(prefixes)}
    return replace(stored, tensors=tensors)


def _prefix(network: str) -> str:
    return f"{NETWORKS_PREFIX}.{network}."
