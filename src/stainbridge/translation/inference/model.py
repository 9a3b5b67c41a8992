"""A trained translation, read from a run to be used."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from stainbridge.errors import InputError
from stainbridge.learn.checkpoint import check_task
from stainbridge.learn.weights import NETWORKS, Stored, put, read
from stainbridge.nn.generators import Generator, generator
from stainbridge.settings import build
from stainbridge.translation.objectives.config import TranslationConfig
from stainbridge.translation.objectives.task import TranslationTask

BACK = f"{NETWORKS}.to_source."


@dataclass(frozen=True, eq=False)
class Model:
    """Generators in eval mode: pictures (N, channels, H, W) in −1 … 1 to the same, sides in
    multiples of `period`.

    `to_target` translates `source`, of `source_channels`, to `target`, of `target_channels`;
    `to_source` back, where the objective learns that too, else None. `mpp` is the pixel size they
    were trained at in µm, None where it was not known, on tiles of `tile_px`. `objective` is the
    published one's name, "" for another.
    """

    path: Path
    objective: str
    source: str
    target: str
    source_channels: int
    target_channels: int
    mpp: float | None
    tile_px: int
    to_target: Generator
    to_source: Generator | None = None

    @property
    def period(self) -> int:
        """What the sides of a picture must be multiples of."""
        return self.to_target.period

    def reversed(self) -> Model:
        """The translation from target to source. Raises `InputError` where it was not learned."""
        if self.to_source is None:
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
            to_target=self.to_source,
            to_source=self.to_target,
        )


def read_model(path: Path) -> Model:
    """The model of a RUN folder (the weights that measured best) or of a file of weights.

    Raises `InputError` when it is missing, truncated, of something other than a translation, or of
    another architecture.
    """
    stored = read(path)
    check_task(stored, TranslationTask.name)
    config = build(TranslationConfig, stored.settings, stored.path)
    both_ways = any(key.startswith(BACK) for key in stored.tensors)
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
        _network(stored, config, "to_target"),
        _network(stored, config, "to_source") if both_ways else None,
    )


def begin_with(task: TranslationTask, path: Path) -> None:
    """Put the networks of another run into a task; what is no network, such as buffers of pictures,
    begins anew.

    Raises `InputError` as `read_model` does.
    """
    stored = read(path)
    check_task(stored, task.name)
    networks = {
        name: network
        for name, network in task.networks.items()
        if any(True for _ in network.parameters())
    }
    prefixes = tuple(f"{NETWORKS}.{name}." for name in networks)
    put(
        replace(
            stored,
            tensors={key: t for key, t in stored.tensors.items() if key.startswith(prefixes)},
        ),
        networks,
    )


def _network(stored: Stored, config: TranslationConfig, name: str) -> Generator:
    network = generator(config.generator)
    prefix = f"{NETWORKS}.{name}."
    own = {key: tensor for key, tensor in stored.tensors.items() if key.startswith(prefix)}
    put(replace(stored, tensors=own), {name: network})
    return network.eval().requires_grad_(False)
