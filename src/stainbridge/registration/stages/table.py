"""The known stages. A new stage is one new file and one line here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from stainbridge.registration.stages.affine import AffineStage
from stainbridge.registration.stages.deformable import DeformableStage
from stainbridge.registration.stages.learned_affine import LearnedAffineStage
from stainbridge.registration.stages.learned_field import LearnedFieldStage
from stainbridge.registration.stages.search import SearchStage
from stainbridge.registration.stages.stage import Stage
from stainbridge.registration.stages.tiles import TileRefinementStage

#: Stages by their `kind`, in the order in which they usually run.
STAGES: dict[str, type[Stage]] = {
    "search": SearchStage,
    "learned-affine": LearnedAffineStage,
    "affine": AffineStage,
    "learned-field": LearnedFieldStage,
    "deformable": DeformableStage,
    "tiles": TileRefinementStage,
}


class AnyStageConfig(Protocol):
    """Settings of one of `STAGES`, told apart by their `kind`.

    A settings field of this type may hold any of them: `settings.build` asks `kinds`.
    """

    @property
    def kind(self) -> str:
        """The stage's name in a pipeline file."""
        ...

    if not TYPE_CHECKING:  # the settings themselves need not have it

        @classmethod
        def kinds(cls) -> dict[str, type]:
            """Return the known stages' settings by their `kind`."""
            return {kind: stage.config_type for kind, stage in STAGES.items()}
