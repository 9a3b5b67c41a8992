"""The known stages. A new stage is one new file and one line here."""

from __future__ import annotations

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
