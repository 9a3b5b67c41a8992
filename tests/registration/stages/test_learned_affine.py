"""The affine network: in micrometres, loaded from files, and kept as a stage where it helps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.nn.networks import TINY
from tests.registration.networks import CPU, SMALL_AFFINE, constant_affine, start_before
from tests.registration.pictures import between
from tests.registration.states import ignore, make_problem
from tests.registration.training.sections import section as draw_slide
from torch import nn

from stainbridge.errors import InputError
from stainbridge.geometry.flow import affine_displacement, pixel_grid
from stainbridge.learn.checkpoint import Checkpoint, save_weights
from stainbridge.nn.affine_net import AffineNet
from stainbridge.registration.config import LearnedAffineConfig
from stainbridge.registration.sections.section import Section
from stainbridge.registration.sections.views import frame_tissue
from stainbridge.registration.stages.hypothesis import Hypothesis
from stainbridge.registration.stages.learned_affine import (
    LearnedAffine,
    LearnedAffineStage,
    make_turns,
)
from stainbridge.registration.stages.stage import Problem, State, run_stage
from stainbridge.registration.training.config import AffineTraining, DeformableTraining, PairsConfig
from stainbridge.registration.training.task import AffineTask, DeformableTask

STRONG_TURN = np.array([[0.9, -0.2, 0.1], [0.25, 1.05, -0.05]])
SLIGHT_TURN = np.array([[0.96, -0.1, 0.05], [0.12, 1.03, -0.04]])


@pytest.fixture(scope="module")
def problem() -> Problem:
    """One section on two slides."""
    return make_problem(draw_slide(), draw_slide(0, "moving"))


@pytest.fixture(scope="module")
def fixed(problem: Problem) -> Section:
    return problem.sections[0]


@pytest.fixture(scope="module")
def moving(problem: Problem) -> Section:
    return problem.sections[1]


def test_a_map_in_micrometres_is_the_networks(fixed: Section, moving: Section) -> None:
    start = np.array([[0, -1, 300.0], [1, 0, 5.0], [0, 0, 1]])
    learned = LearnedAffine(constant_affine(STRONG_TURN), 96, CPU)
    once, other = learned(fixed, moving, [np.eye(3), start])
    view = frame_tissue(fixed, 96)
    theta = torch.tensor(STRONG_TURN[None], dtype=torch.float32)
    displacement = affine_displacement(theta, view.height, view.width)
    moved = (pixel_grid(view.height, view.width, displacement) + displacement)[0].flatten(1).T
    expected = view.to_um(moved.double().numpy() + 0.5)
    assert np.allclose(once(view.centres_um()), expected, atol=1e-2)
    assert np.allclose(other.matrix, start @ once.matrix)
    assert (once.source, once.target) == (fixed.frame.space, moving.frame.space)


def test_a_second_pass_starts_from_the_first(fixed: Section, moving: Section) -> None:
    learned = LearnedAffine(constant_affine(STRONG_TURN), 96, CPU)
    (twice,) = learned(fixed, moving, [np.eye(3)], passes=2)
    (once,) = learned(fixed, moving, [np.eye(3)])
    assert np.allclose(twice.matrix, once.matrix @ once.matrix)


def test_what_a_section_caches_can_still_have_gradients(fixed: Section, moving: Section) -> None:
    LearnedAffine(constant_affine(STRONG_TURN), 96, CPU).rank(fixed, moving, [np.eye(3)])
    for section in (fixed, moving):
        size = round(max(section.frame.size_um) / frame_tissue(fixed, 96).mpp[0])
        assert not section.density_at(size)[1].is_inference()


def test_starts_that_do_not_fit_in_one_batch_go_in_several(
    fixed: Section, moving: Section, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(3)
    network = AffineNet(SMALL_AFFINE).eval()
    nn.init.normal_(network.regress[-1].weight, std=0.1)  # type: ignore[arg-type]
    starts = [np.eye(3), np.diag([0.9, 1.1, 1.0]), np.diag([1.1, 1.0, 1.0])]
    learned = LearnedAffine(network, 96, CPU)
    together = learned(fixed, moving, starts)
    monkeypatch.setattr("stainbridge.registration.stages.learned_affine.BATCH_PX", 1)
    apart = learned(fixed, moving, starts)
    assert not np.allclose(together[0].matrix, np.eye(3), atol=1e-2)
    for one, other in zip(together, apart, strict=True):
        assert np.allclose(one.matrix, other.matrix, atol=1e-3)


def save_affine(folder: Path, network: AffineNet | None = None) -> Path:
    """Write weights trained at 96 px: of an untrained network, or of another one."""
    task = AffineTask(AffineTraining(network=SMALL_AFFINE, pairs=PairsConfig(section_px=(64, 128))))
    if network is not None:
        task.network.load_state_dict(network.state_dict())
    path = folder / "affine.safetensors"
    save_weights(path, task, Checkpoint(), torch.float16)
    return path


def test_weights_are_loaded_with_the_size_they_were_trained_at(tmp_path: Path) -> None:
    learned = LearnedAffine.load(save_affine(tmp_path))
    assert learned.longest_px == 96
    assert not learned.network.training


def test_weights_of_a_deformable_network_are_one_line(tmp_path: Path) -> None:
    training = DeformableTraining(network=TINY["fcn"], pairs=PairsConfig(mpp=1.5))
    path = tmp_path / "deformable.safetensors"
    save_weights(path, DeformableTask(training), Checkpoint())
    message = "weights of another architecture; expected affine; got deformable"
    with pytest.raises(InputError, match=message):
        LearnedAffine.load(path)


def constant_stage(matrix: np.ndarray, config: LearnedAffineConfig) -> LearnedAffineStage:
    return LearnedAffineStage(config, LearnedAffine(constant_affine(matrix), 96, CPU))


def state_after_search(problem: Problem, *matrices: np.ndarray) -> State:
    """Return the state after a search that found these placements, best first."""
    candidates = tuple(Hypothesis(matrix, -index) for index, matrix in enumerate(matrices))
    solution = between(*problem.sections, matrices[0])
    score = problem.measure_score(solution)
    return State(problem, candidates, solution, score, score)


def test_a_placement_that_helps_is_accepted(problem: Problem, fixed: Section) -> None:
    stage = constant_stage(SLIGHT_TURN, LearnedAffineConfig(passes=1, finer=0))
    beside = np.array([[1, 0, 60.0], [0, 1, 0], [0, 0, 1]])
    before = state_after_search(problem, beside, start_before(SLIGHT_TURN, fixed))
    after = run_stage(stage, before, ignore)
    assert np.allclose(after.candidates[0].matrix, np.eye(3), atol=1e-5)
    assert len(after.candidates) == 2
    (record,) = after.records
    assert (record.name, record.accepted, record.note) == ("affine-net", True, "")
    assert record.score_after > record.score_before == before.score
    assert after.score == after.placement_score == record.score_after
    assert after.overrides == {}


def test_a_placement_that_does_not_help_is_rejected(problem: Problem) -> None:
    stage = constant_stage(SLIGHT_TURN, LearnedAffineConfig(passes=1, finer=0))
    before = state_after_search(problem, np.eye(3))
    after = run_stage(stage, before, ignore)
    assert after.candidates == before.candidates
    assert after.solution is before.solution
    (record,) = after.records
    assert not record.accepted
    assert record.note == "no better than the best start"
    assert record.score_after < record.score_before


def test_finer_passes_begin_at_the_best_at_twice_the_resolution(
    fixed: Section, moving: Section
) -> None:
    network = LearnedAffine(AffineNet(replace(SMALL_AFFINE, correlation=5)).eval(), 96, CPU)
    pixel_um = frame_tissue(fixed, 96).mpp[0]
    start = np.eye(3)
    start[:2, 2] = 5 * pixel_um, -3 * pixel_um
    corners = fixed.frame.fit(2).centres_um()
    errors = []
    for finer in (0, 2):
        stage = LearnedAffineStage(LearnedAffineConfig(passes=1, finer=finer), network)
        best = stage.improve(fixed, moving, [Hypothesis(start, 0.0)])[0]
        moved = between(fixed, moving, best.matrix)(corners)
        errors.append(float(np.abs(moved - corners).max()))
    assert errors[1] < errors[0] < 5 * pixel_um


def test_turns_go_all_round_within_the_limit(fixed: Section, moving: Section) -> None:
    turns = make_turns(fixed, moving, 24, (False, True), 180)
    assert len(turns) == 48
    transforms = [between(fixed, moving, turn.matrix) for turn in turns]
    assert sum(transform.flip for transform in transforms) == 24
    for transform in transforms:
        assert np.allclose(transform(np.array([fixed.centre_um])), [moving.centre_um])
    near = make_turns(fixed, moving, 24, (False,), 30)
    degrees = [round(between(fixed, moving, turn.matrix).rotation_deg) for turn in near]
    assert sorted(degrees) == [-30, -15, 0, 15, 30]


def test_turns_of_unknown_pixel_sizes_give_both_tissues_one_area(
    fixed: Section, moving: Section
) -> None:
    space = replace(moving.frame.space, calibrated=False)
    unknown = replace(moving, frame=replace(moving.frame, space=space))
    (turn,) = make_turns(fixed, unknown, 1, (False,), 180)
    assert np.linalg.det(turn.matrix) == pytest.approx(moving.area_um2 / fixed.area_um2)


def test_own_turns_need_to_be_convincing(problem: Problem, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = constant_stage(np.eye(2, 3), LearnedAffineConfig(angles=8))
    doubts = iter(["", "no better than chance"])
    monkeypatch.setattr("stainbridge.registration.stages.stage.find_doubt", lambda _: next(doubts))
    accepted = run_stage(stage, State(problem), ignore)
    assert accepted.records[0].accepted
    radius_um = problem.sections[0].radius_um
    assert np.allclose(accepted.candidates[0].matrix, np.eye(3), atol=0.05 * radius_um)
    assert accepted.overrides == {"search": None, "learned-affine": None}
    rejected = run_stage(stage, State(problem), ignore)
    assert rejected.candidates == ()
    assert rejected.overrides == {}
    (record,) = rejected.records
    assert (record.accepted, record.note) == (False, "no better than chance")
    assert record.score_before == 0.0


def test_own_turns_of_other_tissue_are_not_convincing() -> None:
    problem = make_problem(draw_slide(), draw_slide(5, "moving"))
    stage = constant_stage(np.eye(2, 3), LearnedAffineConfig(angles=8))
    state = run_stage(stage, State(problem), ignore)
    assert state.candidates == ()
    assert "no better than chance" in state.records[0].note


def test_without_angles_or_beside_a_given_transform_there_are_no_turns(problem: Problem) -> None:
    without = constant_stage(np.eye(2, 3), LearnedAffineConfig())
    assert run_stage(without, State(problem), ignore).records == ()
    given = replace(problem, initial_transform=between(*problem.sections))
    turning = constant_stage(np.eye(2, 3), LearnedAffineConfig(angles=8))
    assert run_stage(turning, State(given), ignore).records == ()


def test_an_accepted_placement_may_stand_without_refinement(
    problem: Problem, fixed: Section
) -> None:
    stage = constant_stage(SLIGHT_TURN, LearnedAffineConfig(finer=0, refine=False))
    after = run_stage(stage, state_after_search(problem, start_before(SLIGHT_TURN, fixed)), ignore)
    assert after.overrides == {"affine": None}
    rejected = run_stage(stage, state_after_search(problem, np.eye(3)), ignore)
    assert rejected.overrides == {}


@pytest.mark.parametrize("wrong", [{"passes": 0}, {"keep": 0}, {"angles": -1}, {"finer": -1}])
def test_impossible_settings_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(InputError, match="out of range"):
        LearnedAffineConfig(**wrong)  # type: ignore[arg-type]


def test_a_stage_is_made_from_its_settings_with_its_weights(
    problem: Problem, tmp_path: Path
) -> None:
    config = LearnedAffineConfig(str(save_affine(tmp_path)))
    stage = LearnedAffineStage.make(config, problem.context)
    assert stage.config is config
    assert stage.network.longest_px == 96
