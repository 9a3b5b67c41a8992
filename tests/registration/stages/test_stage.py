"""`run_stage` judges what stages propose, and records it; a new stage needs a class and a line."""

from __future__ import annotations

import time
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.registration.pictures import between, draw_tissue, warp_locally
from tests.registration.stages.toys import (
    DeformingStage,
    DoubtfulStage,
    LastResortStage,
    MadeUpVerifier,
    ProposingStage,
    ToyConfig,
    ToyStage,
    constant_field,
)
from tests.registration.states import ignore, make_problem, state_at
from tests.registration.training.sections import section as draw_slide

from stainbridge.compute import ComputeContext
from stainbridge.geometry.transform import Affine
from stainbridge.registration.config import (
    AffineConfig,
    DeformableConfig,
    RegisterConfig,
    SearchConfig,
)
from stainbridge.registration.pipeline import register_slides
from stainbridge.registration.result import Registration
from stainbridge.registration.stages.affine import AffineStage
from stainbridge.registration.stages.deformable import DeformableStage
from stainbridge.registration.stages.hypothesis import Hypothesis
from stainbridge.registration.stages.search import SearchStage
from stainbridge.registration.stages.stage import Problem, Proposal, Stage, State, run_stage
from stainbridge.registration.stages.table import STAGES
from stainbridge.slides.memory import ArraySlide

#: Refinement that takes next to no time.
SHORT = AffineConfig(sizes_px=(64,), steps=(2,), survivors=(1,), varied=0)
FAST = RegisterConfig(working_px=160, stages=(SearchConfig(), SHORT), second_search=None)


@pytest.fixture(scope="module")
def problem() -> Problem:
    """One section on two slides."""
    return make_problem(draw_slide(), draw_slide(0, "moving"))


@pytest.fixture(scope="module")
def at_truth(problem: Problem) -> State:
    """The state after the right placement."""
    return state_at(problem, between(*problem.sections))


def nudge(state: State, **changes: Any) -> Proposal:
    """Return a proposal of a displacement that hardly changes anything."""
    grid = state.problem.sections[0].frame.fit(16)
    return Proposal(displacement=constant_field(grid, 0.01), **changes)


@pytest.mark.parametrize(("after", "accepted"), [(0.55, False), (0.6, False), (0.601, True)])
def test_a_proposal_has_to_be_better_by_the_margin(
    at_truth: State, after: float, accepted: bool
) -> None:
    verifier = MadeUpVerifier(0.5, after)
    proposal = nudge(at_truth, verifier=verifier)
    state = run_stage(ProposingStage(proposal=proposal), at_truth, ignore)
    (record,) = state.records
    assert record.accepted == accepted
    assert record.note == ("" if accepted else "no better than the one before")
    assert (state.solution is not at_truth.solution) == accepted
    assert (state.displacement is proposal.displacement) == accepted
    assert state.solution is not None
    # The score stays that of the sections, whatever the proposal was verified with.
    assert state.score == state.problem.measure_score(state.solution) != after
    assert verifier.transforms[0] is at_truth.solution
    assert state.solution in verifier.transforms


def test_without_a_verifier_the_sections_decide(problem: Problem) -> None:
    beside = np.eye(3)
    beside[0, 2] = 20.0
    before = state_at(problem, between(*problem.sections, beside))
    right = run_stage(ToyStage(ToyConfig(right_um=-20.0)), before, ignore)
    assert right.records[0].accepted
    assert right.records[0].score_before == problem.measure_score(before.placement)
    assert right.records[0].score_after == problem.measure_score(right.placement) == right.score
    assert right.placement_score == right.score
    wrong = run_stage(ToyStage(ToyConfig(right_um=20.0)), right, ignore)
    assert not wrong.records[1].accepted
    assert wrong.records[1].score_after < wrong.score == right.score
    assert wrong.candidates == right.candidates


@pytest.mark.parametrize("replaces", [True, False])
def test_a_displacement_that_folds_is_rejected_however_good(
    at_truth: State, replaces: bool
) -> None:
    grid = at_truth.problem.sections[0].frame.fit(32)
    proposal = Proposal(
        displacement=constant_field(grid, 0.0, fold=True),
        replaces_displacement=replaces,
        verifier=MadeUpVerifier(0.1, 0.9),
    )
    state = run_stage(ProposingStage(proposal=proposal), at_truth, ignore)
    (record,) = state.records
    assert not record.accepted
    assert record.note.startswith("folds on ")
    assert record.score_after == 0.9
    assert state.solution is at_truth.solution


@pytest.mark.parametrize(
    ("amplitude_px", "moved_um", "gain", "note"),
    [
        (2.5, 3.0, 0.02, ""),
        (0.0, 3.0, 0.02, "no deformation needed"),
        (0.0, 3.0, 0.06, ""),
        (2.5, 0.1, 0.02, "no deformation needed"),
        (2.5, 3.0, 0.0, "no deformation needed"),
    ],
)
def test_slides_on_each_other_are_deformed_for_much_or_where_windows_move_alike(
    amplitude_px: float, moved_um: float, gain: float, note: str
) -> None:
    tissue = draw_tissue()
    slides = ArraySlide(tissue, 1.0), ArraySlide(warp_locally(tissue, amplitude_px), 1.0)
    problem = make_problem(*slides, 384)
    displacement = constant_field(problem.sections[0].frame.fit(32), moved_um)
    proposal = Proposal(displacement=displacement, verifier=MadeUpVerifier(0.5, 0.5 + gain))
    before = state_at(problem, between(*problem.sections))
    after = run_stage(DeformingStage(proposal=proposal), before, ignore)
    (record,) = after.records
    assert record.note == note
    assert record.accepted == (not note)
    assert after.remark == note


def test_the_record_has_time_scores_note_and_settings(at_truth: State) -> None:
    class Slow(ToyStage):
        def __call__(self, state: State, progress: Any) -> Proposal | None:
            progress(0.5)
            time.sleep(0.05)
            return super().__call__(state, progress)

    config = ToyConfig(right_um=7.0)
    fractions: list[float] = []
    state = run_stage(Slow(config), at_truth, fractions.append)
    (record,) = state.records
    assert record.name == "toy"
    assert 0.05 <= record.seconds < 5
    assert record.score_before == at_truth.score
    assert record.score_after < record.score_before
    assert record.note == "no better than what came before"
    assert record.config == asdict(config) == {"kind": "toy", "right_um": 7.0}
    assert fractions == [0.5]


def test_records_are_added_in_order_and_nothing_proposed_leaves_none(at_truth: State) -> None:
    first = run_stage(ToyStage(), at_truth, ignore)
    second = run_stage(ToyStage(), first, ignore)
    assert second.records[0] is first.records[0]
    assert len(second.records) == 2
    assert run_stage(ProposingStage(proposal=None), at_truth, ignore) is at_truth


def test_a_first_placement_without_a_search_has_to_be_convincing(problem: Problem) -> None:
    right = run_stage(ToyStage(), State(problem), ignore)
    assert right.records[0].accepted
    assert right.records[0].score_before == 0.0
    assert right.solution is not None
    turned = Hypothesis(np.array([[0.0, -1, 320], [1, 0, 0], [0, 0, 1]]), 1.0)
    wrong = run_stage(ProposingStage(proposal=Proposal((turned,))), State(problem), ignore)
    assert not wrong.records[0].accepted
    assert "no better than chance" in wrong.records[0].note
    beside = run_stage(ToyStage(ToyConfig(right_um=1000.0)), State(problem), ignore)
    assert "overlap by 0%" in beside.records[0].note
    for state in (wrong, beside):
        assert state.candidates == ()
        assert state.solution is None


def test_the_first_placement_of_a_search_is_taken_whatever_it_is(problem: Problem) -> None:
    stage = LastResortStage(ToyConfig(right_um=1000.0))
    state = run_stage(stage, State(problem), ignore)
    assert state.records[0].accepted
    assert len(state.candidates) == 1
    assert SearchStage.last_resort


def test_a_rejection_may_cast_doubt_and_the_first_doubt_stands(at_truth: State) -> None:
    worse = nudge(at_truth, verifier=MadeUpVerifier(0.5, 0.4))
    unharmed = run_stage(ProposingStage(proposal=worse), at_truth, ignore)
    assert unharmed.doubt == ""
    better = nudge(at_truth, verifier=MadeUpVerifier(0.5, 0.9))
    assert run_stage(DoubtfulStage(proposal=better), at_truth, ignore).doubt == ""
    worse = nudge(at_truth, verifier=MadeUpVerifier(0.5, 0.4))
    doubted = run_stage(DoubtfulStage(proposal=worse), at_truth, ignore)
    assert doubted.doubt == "toy stage rejected: no better than the one before"
    folding = Proposal(
        displacement=constant_field(at_truth.problem.sections[0].frame.fit(32), 0.0, fold=True)
    )
    assert run_stage(DoubtfulStage(proposal=folding), doubted, ignore).doubt == doubted.doubt


@pytest.mark.parametrize("after", [0.4, 0.9])
def test_a_measured_disagreement_is_remembered_accepted_or_not(
    at_truth: State, after: float
) -> None:
    measured = nudge(at_truth, disagreement_um=3.0, verifier=MadeUpVerifier(0.5, after))
    state = run_stage(ProposingStage(proposal=measured), at_truth, ignore)
    assert state.disagreement_um == 3.0
    unmeasured = nudge(at_truth, verifier=MadeUpVerifier(0.5, 0.9))
    state = run_stage(ProposingStage(proposal=unmeasured), state, ignore)
    assert state.disagreement_um == 3.0


def test_a_displacement_replaces_the_last_one_or_is_applied_before_the_solution(
    at_truth: State,
) -> None:
    grid = at_truth.problem.sections[0].frame.fit(16)
    points = np.array([[100.0, 120.0]])

    def run(state: State, right_um: float, replaces: bool) -> State:
        proposal = Proposal(
            displacement=constant_field(grid, right_um),
            replaces_displacement=replaces,
            verifier=MadeUpVerifier(0.5, 0.9),
        )
        return run_stage(ProposingStage(proposal=proposal), state, ignore)

    def right_um(state: State) -> float:
        assert state.solution is not None
        return float((state.solution(points) - points)[0, 0])

    first = run(at_truth, 2.0, True)
    assert right_um(first) == pytest.approx(2.0)
    replaced = run(first, 5.0, True)
    assert right_um(replaced) == pytest.approx(5.0)
    refined = run(first, 5.0, False)
    assert right_um(refined) == pytest.approx(7.0)
    assert refined.displacement is first.displacement
    assert refined.placement_score == first.placement_score == at_truth.placement_score


def register(stages: list[Stage], config: RegisterConfig = FAST) -> Registration:
    """Register one section on two slides."""
    return register_slides(draw_slide(), draw_slide(0, "moving"), config, stages=stages)


def make_overriding_stage(state: State, after: float, overrides: dict[str, Any]) -> Stage:
    """Return a stage that asks others for something if it is accepted."""
    verifier = MadeUpVerifier(0.5, after)
    return ProposingStage(proposal=nudge(state, overrides=overrides, verifier=verifier))


@pytest.mark.parametrize(
    ("after", "override", "names", "steps"),
    [
        (0.9, None, ["prepare", "search", "toy"], None),
        (0.9, replace(SHORT, steps=(1,)), ["prepare", "search", "toy", "affine"], (1,)),
        (0.4, None, ["prepare", "search", "toy", "affine"], (2,)),
        (0.4, replace(SHORT, steps=(1,)), ["prepare", "search", "toy", "affine"], (2,)),
    ],
)
def test_an_accepted_stage_may_leave_out_or_configure_later_ones(
    after: float, override: AffineConfig | None, names: list[str], steps: tuple[int] | None
) -> None:
    fixed = draw_slide()
    moving = draw_slide(0, "moving")
    truth = Affine(np.eye(3), fixed.frame.space, moving.frame.space)
    state = state_at(make_problem(fixed, moving), truth)
    toy = make_overriding_stage(state, after, {"affine": override})
    stages = [SearchStage(SearchConfig()), toy, AffineStage(SHORT)]
    registration = register_slides(fixed, moving, FAST, initial_transform=truth, stages=stages)
    assert [record.name for record in registration.stages] == names
    if steps is not None:
        assert registration.stages[-1].config["steps"] == steps


def test_a_stage_that_nobody_registered_can_be_handed_in() -> None:
    assert ToyStage.kind not in STAGES
    registration = register([ToyStage()])
    assert [record.name for record in registration.stages] == ["prepare", "toy"]
    assert registration.stages[1].accepted
    points = np.array([[120.0, 130.0], [200.0, 190.0]])
    np.testing.assert_array_equal(registration.transform(points), points)


def test_stages_without_a_search_have_no_second_one() -> None:
    doubting = RegisterConfig(working_px=160)
    assert doubting.second_search is not None
    registration = register([ToyStage(ToyConfig(right_um=1000.0))], doubting)
    assert registration.status == "failed"
    assert registration.reason == "no placement with enough overlap was found"
    loosely = ToyStage(ToyConfig(right_um=30.0))
    registration = register([loosely], doubting)
    assert registration.status != "ok"


def test_without_a_placement_later_stages_do_not_run() -> None:
    unconvincing = ToyStage(ToyConfig(right_um=1000.0))
    stages = [unconvincing, AffineStage(SHORT), DeformableStage(DeformableConfig())]
    registration = register(stages)
    assert registration.status == "failed"
    assert registration.reason == "no placement with enough overlap was found"


PIPELINE = """
working_px: 160
second_search: null
stages:
- kind: search
- kind: toy
  right_um: -25
- kind: affine
  sizes_px: [64]
  steps: [2]
  survivors: [1]
  varied: 0
"""


def test_a_stage_of_the_table_can_be_named_in_a_pipeline_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(STAGES, "toy", ToyStage)
    path = tmp_path / "pipeline.yaml"
    path.write_text(PIPELINE)
    config = RegisterConfig.from_yaml(path)
    assert config.stages == (SearchConfig(), ToyConfig(right_um=-25.0), SHORT)
    path.write_text(config.to_yaml())
    assert RegisterConfig.from_yaml(path) == config
    fixed = draw_slide()
    moving = draw_slide(0, "moving")
    beside = np.eye(3)
    beside[0, 2] = 25.0
    start = Affine(beside, fixed.frame.space, moving.frame.space)
    registration = register_slides(fixed, moving, config, initial_transform=start)
    assert [record.name for record in registration.stages] == [
        "prepare",
        "search",
        "toy",
        "affine",
    ]
    assert registration.stages[2].accepted
    assert registration.config["stages"][1] == {"kind": "toy", "right_um": -25.0}


@pytest.mark.parametrize("kind", STAGES)
def test_every_stage_of_the_table_has_one_name(kind: str) -> None:
    stage = STAGES[kind]
    assert stage.kind == kind
    assert asdict(stage.config_type())["kind"] == kind


@pytest.mark.parametrize("kind", STAGES)
def test_settings_without_names_are_never_taken_for_the_kind(kind: str) -> None:
    config_type = STAGES[kind].config_type
    first = fields(config_type)[1]
    value = getattr(config_type(), first.name)
    config = config_type(value)  # type: ignore[call-arg]
    assert config == config_type()


@pytest.mark.parametrize("kind", ["search", "affine", "deformable", "tiles"])
def test_every_classical_stage_is_made_from_its_settings(kind: str) -> None:
    config = STAGES[kind].config_type()
    stage = STAGES[kind].make(config, ComputeContext())
    assert stage.config is config
