"""NMIw: mutual information and Dice's overlap of labels, as weak supervision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from torch import Tensor

from stainbridge.errors import InputError
from stainbridge.geometry.flow import warp
from stainbridge.joint.sbr.nmi import OPTIMISER, PAPER, SMALL, NmiObjective, NmiTask
from stainbridge.joint.sbr.stream import SlicePair
from stainbridge.joint.sbr.task import StackFacts, soft_dice
from stainbridge.joint.sbr.variant import Variant
from stainbridge.nn.fields import Fields
from stainbridge.ranges import Weight

if TYPE_CHECKING:
    from stainbridge.joint.sbr.config import SbrTraining


@dataclass(frozen=True)
class NmiWeakObjective(NmiObjective):
    """Weights of the terms. Raises `InputError` for negative weights."""

    kind: Literal["nmi-w"] = "nmi-w"  # type: ignore[assignment]  # another kind than the base's
    """The kind of objective, in files."""
    overlap: Weight = 1.0
    """Weight of 1 − Dice's overlap, averaged over classes; the paper says none."""


class NmiWeakTask(NmiTask):
    """Trains the network on NMI and on labels.

    Raises `InputError` for slices without labels.
    """

    def __init__(self, training: SbrTraining, facts: StackFacts) -> None:
        if not facts.classes:
            raise InputError(
                "nmi-w is trained on labels",
                expected="labels of both modalities",
                remedy="train the variant nmi",
            )
        super().__init__(training, facts)
        assert isinstance(training.objective, NmiWeakObjective)
        self.weak = training.objective

    def terms(self, batch: SlicePair, fields: Fields) -> dict[str, Tensor]:
        """Return the weighted terms, each a scalar."""
        warped = warp(batch.moving_labels, fields.final, "zeros")
        overlap = soft_dice(batch.fixed_labels, warped).mean()
        return {**super().terms(batch, fields), "overlap": self.weak.overlap * (1 - overlap)}


VARIANT = Variant(
    NmiWeakObjective,
    NmiWeakTask,
    small=SMALL,
    paper=PAPER,
    make_objective=NmiWeakObjective,
    needs_labels=True,
    optimiser=OPTIMISER,
)
