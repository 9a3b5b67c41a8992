"""The known stages. A new stage is one new file and one line here.

Stages of other rooms and packages are found by Python's entry points: a distribution names its
stage's class in the group "stainbridge.stages", by the stage's kind. So no floor knows those above.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Protocol

from stainbridge.errors import InputError
from stainbridge.registration.stages.affine import AffineStage
from stainbridge.registration.stages.deformable import DeformableStage
from stainbridge.registration.stages.learned_affine import LearnedAffineStage
from stainbridge.registration.stages.learned_field import LearnedFieldStage
from stainbridge.registration.stages.search import SearchStage
from stainbridge.registration.stages.stage import PHASES, Stage
from stainbridge.registration.stages.tiles import TileRefinementStage

#: Group of the entry points of stages.
GROUP = "stainbridge.stages"


class StageTable(MutableMapping[str, type[Stage]]):
    """Stages by their kind: `known` ones, and those of entry points, imported when asked for."""

    def __init__(self, known: dict[str, type[Stage]]) -> None:
        self._known = known

    def __getitem__(self, kind: str) -> type[Stage]:
        if kind in self._known:
            return self._known[kind]
        return _load_stage(_find_entry_points()[kind])

    def __setitem__(self, kind: str, stage: type[Stage]) -> None:
        self._known[kind] = stage

    def __delitem__(self, kind: str) -> None:
        del self._known[kind]

    def __contains__(self, kind: object) -> bool:
        return kind in self._known or kind in _find_entry_points()

    def __iter__(self) -> Iterator[str]:
        return iter([*self._known, *_find_entry_points()])

    def __len__(self) -> int:
        return len(self._known) + len(_find_entry_points())

    def rank(self, kind: str) -> tuple[int, int]:
        """Return where a stage usually runs: by its phase, those of entry points first in it."""
        known = list(self._known)
        position = known.index(kind) if kind in known else -1
        return PHASES.index(self[kind].phase), position


class StageConfigTypes(Mapping[str, type]):
    """The classes of the settings of the stages of a table, by kind."""

    def __init__(self, stages: StageTable) -> None:
        self._stages = stages

    def __getitem__(self, kind: str) -> type:
        return self._stages[kind].config_type

    def __contains__(self, kind: object) -> bool:
        return kind in self._stages

    def __iter__(self) -> Iterator[str]:
        return iter(self._stages)

    def __len__(self) -> int:
        return len(self._stages)


def _find_entry_points() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def _load_stage(entry: EntryPoint) -> type[Stage]:
    stage = entry.load()
    if not (isinstance(stage, type) and issubclass(stage, Stage) and stage.kind == entry.name):
        raise InputError(
            "not a stage", where=f"{GROUP}: {entry.value}", expected=f"a Stage, kind {entry.name}"
        )
    return stage


#: Stages by their `kind`, in the order in which they usually run.
STAGES = StageTable(
    {
        "search": SearchStage,
        "learned-affine": LearnedAffineStage,
        "affine": AffineStage,
        "learned-field": LearnedFieldStage,
        "deformable": DeformableStage,
        "tiles": TileRefinementStage,
    }
)


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
        def kinds(cls) -> Mapping[str, type]:
            """Return the stages' settings by their `kind`."""
            return StageConfigTypes(STAGES)
