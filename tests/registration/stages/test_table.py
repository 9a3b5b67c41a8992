"""The table of stages: those of this room, and those that other packages announce."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from stainbridge.errors import InputError
from stainbridge.registration.config import RegisterConfig
from stainbridge.registration.stages import table
from stainbridge.registration.stages.table import STAGES, StageTable
from stainbridge.settings import build


def announce(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    entry = EntryPoint(name, value, table.GROUP)
    monkeypatch.setattr(table, "entry_points", lambda group: [entry])


def test_stages_of_rooms_above_are_found_by_their_kind() -> None:
    for kind in ("sar", "sbr"):
        assert kind in STAGES
        assert STAGES[kind].kind == kind
        config = build(
            RegisterConfig,
            {"stages": [{"kind": "search"}, {"kind": kind, "weights": "run"}]},
            "file",
        )
        assert config.stages[1].kind == kind


def test_a_stage_is_imported_only_when_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    announce(monkeypatch, "toy", "no_such_module:ToyStage")
    stages = StageTable({"search": STAGES["search"]})
    assert list(stages) == ["search", "toy"]
    assert len(stages) == 2
    assert "toy" in stages
    with pytest.raises(ModuleNotFoundError):
        stages["toy"]
    with pytest.raises(KeyError):
        stages["none"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("toy", "stainbridge.registration.stages.search:SearchStage"),  # of another kind
        ("toy", "stainbridge.errors:InputError"),
    ],
)
def test_what_is_no_stage_of_its_kind_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    announce(monkeypatch, name, value)
    with pytest.raises(InputError, match="not a stage"):
        StageTable({})[name]


def test_an_announced_stage_runs_first_in_its_phase() -> None:
    ranked = sorted(STAGES, key=STAGES.rank)
    assert ranked.index("affine") < ranked.index("sbr") < ranked.index("learned-field")
    assert ranked.index("deformable") < ranked.index("tiles")
