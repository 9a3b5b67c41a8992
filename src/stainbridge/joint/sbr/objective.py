"""What every objective of Synth-by-Reg has: a `kind`, and the weight of the field's smoothness."""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping

from stainbridge.errors import InputError
from stainbridge.joint.sbr.table import objective_kinds


class SbrObjectiveConfig(ABC):
    """Weights of an objective's terms. Subclasses are frozen dataclasses with a `kind` each."""

    kind: str
    """The subclass's name in files."""
    smoothness: float
    """λ: twice it is the weight of the squared gradient of the velocity."""

    @classmethod
    def kinds(cls) -> Mapping[str, type[SbrObjectiveConfig]]:
        """Return the subclasses of the table of variants by `kind`; files are read by it."""
        return objective_kinds()


def check_weights(**weights: float) -> None:
    """Raise `InputError` for a weight below 0."""
    for name, weight in weights.items():
        if weight < 0:
            raise InputError(f"{name} must not be negative", got=weight)
