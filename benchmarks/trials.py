"""Trials of the verdict: what is registered, and under which name it stands in a table."""

from __future__ import annotations

from dataclasses import dataclass
from zlib import crc32

import numpy as np
import numpy.typing as npt

from real_pairs import LandmarkPair
from stainbridge.geometry.transform import Affine
from stainbridge.registration.config import RegisterConfig


@dataclass(frozen=True)
class TrialPlan:
    """A trial whose slides are not read or drawn yet."""

    source: str
    """`generated`, `real` or `drawn`."""
    pair: str
    """The name of the pair, or the seed of drawn pieces."""
    kind: str
    """What is done to it."""
    preset: str
    """The preset that registers it."""
    index: int = 0
    """The number among trials of this kind."""

    @property
    def key(self) -> str:
        """The trial's name in a table."""
        return f"{self._name}/{self.preset}"

    @property
    def checksum(self) -> int:
        """A number that depends on the trial's name, but not on the preset."""
        return crc32(self._name.encode())

    @property
    def rng(self) -> np.random.Generator:
        """A random generator that depends on the trial's name, but not on the preset."""
        return np.random.default_rng(self.checksum)

    @property
    def _name(self) -> str:
        return f"{self.source}/{self.pair}/{self.kind}-{self.index}"


@dataclass(frozen=True, eq=False)
class Trial:
    """One registration to run."""

    pair: LandmarkPair
    """Both slides; no landmarks where nothing corresponds."""
    config: RegisterConfig
    """The configuration, whose stages may be cut short."""
    initial_transform: Affine | None = None
    """The initial transform, where one is forced."""
    groups: npt.NDArray[np.str_] | None = None
    """(N,) the piece or band that each landmark lies in; None: all in one."""


def list_plans(source: str, pair: str, preset: str, kinds: dict[str, int]) -> list[TrialPlan]:
    """Return the trials of a pair, by kind and how many there are of it."""
    return [
        TrialPlan(source, pair, kind, preset, index)
        for kind, count in kinds.items()
        for index in range(count)
    ]
