"""The generators of picture translation by their configurations."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Protocol

from torch import Tensor, nn

from stainbridge.nn.networks import GENERATORS, build_network, load_configs
from stainbridge.nn.normalisation import Norm


class Generator(nn.Module, ABC):
    """Pictures (N, source, H, W) to (N, target, H, W), both in −1 … 1.

    A configuration may name another range of what comes out.
    """

    #: What H and W must be multiples of.
    period: int

    @property
    @abstractmethod
    def reach(self) -> int:
        """How far around it, in pixels, an output pixel depends on the input.

        Normalisation, which may take statistics from the whole picture, is not counted.
        """

    @abstractmethod
    def forward(self, pictures: Tensor) -> Tensor:
        """Return the translated pictures.

        Raises `InputError` for sides that are not multiples of `period`.
        """


class GeneratorConfig(Protocol):
    """Configuration of one of `GENERATORS`, told apart by its `kind`.

    A settings field of this type may hold any of them: `settings.build` asks `kinds`.
    """

    @property
    def kind(self) -> str:
        """The generator's name in the table."""
        ...

    @property
    def source_channels(self) -> int:
        """Channels of the pictures that go in."""
        ...

    @property
    def target_channels(self) -> int:
        """Channels of the pictures that come out."""
        ...

    @property
    def norm(self) -> Norm:
        """The normalisation."""
        ...

    if not TYPE_CHECKING:  # configurations need not have it

        @classmethod
        def kinds(cls) -> dict[str, Any]:
            """Return the configurations by `kind`."""
            return load_configs(GENERATORS)


def build_generator(config: GeneratorConfig) -> Generator:
    """Return the untrained generator of a configuration."""
    generator: Generator = build_network(GENERATORS, config)
    return generator
