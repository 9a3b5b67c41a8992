"""What every objective of Synth-by-Reg has: a `kind`, and the weight of the field's smoothness."""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping
from typing import Self

from stainbridge.joint.sbr.table import objective_kinds
from stainbridge.ranges import Weight, check_ranges


class SbrObjectiveConfig(ABC):
    """Weights of an objective's terms. Subclasses are frozen dataclasses with a `kind` each.

    Raises `InputError` for numbers out of range.
    """

    kind: str
    """The subclass's name in files."""
    smoothness: Weight
    """λ: twice it is the weight of the squared gradient of the velocity."""

    def __post_init__(self) -> None:
        check_ranges(self)

    def for_small(self) -> Self:
        """Return the objective as the preset "small" has it."""
        return self

    @classmethod
    def kinds(cls) -> Mapping[str, type[SbrObjectiveConfig]]:
        """Return the subclasses of the table of variants by `kind`; files are read by it."""
        return objective_kinds()
