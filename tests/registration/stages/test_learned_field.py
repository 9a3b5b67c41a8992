"""The deformable network: in micrometres, loaded from files, and kept as a stage where it helps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.nn.networks import TINY, build_active_network
from tests.registration.networks import CPU, SMALL_AFFINE, ShiftNetwork
from tests.registration.pictures import between
from tests.registration.states import ignore, make_problem, state_at
from tests.registration.training.sections import section as draw_slide

from stainbridge.errors import InputError
from stainbridge.geometry.transform import Affine
from stainbridge.learn.checkpoint import Checkpoint, save_weights
from stainbridge.registration.config import LearnedFieldConfig
from stainbridge.registration.sections.section import Section
from stainbridge.registration.sections.views import frame_tissue
from stainbridge.registration.stages.blending import TilingConfig
from stainbridge.registration.stages.learned_field import LearnedField, LearnedFieldStage
from stainbridge.registration.stages.stage import Problem, run_stage
from stainbridge.registration.training.config import AffineTraining, DeformableTraining, PairsConfig
from stainbridge.registration.training.task import AffineTask, DeformableTask


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


def shift_left(fixed: Section, moving: Section, px: float) -> Affine:
    """Return the placement that a network which says `px` to the right puts right."""
    matrix = np.eye(3)
    matrix[0, 2] = -px * frame_tissue(fixed, 96).mpp[0]
    return between(fixed, moving, matrix)


def test_a_field_is_in_micrometres_of_the_fixed_space(fixed: Section, moving: Section) -> None:
    placement = between(fixed, moving)
    learned = LearnedField(ShiftNetwork(3.0, -1.0), 96, None, CPU)
    field = learned.register_sections(fixed, moving, placement)
    mpp = frame_tissue(fixed, 96).mpp[0]
    tissue = fixed.frame.centres_um()[fixed.region.ravel()]
    assert field.grid.contains(tissue).all()
    assert np.allclose(field(tissue) - tissue, [3 * mpp, -mpp], atol=1e-3)
    assert field.then(placement).target == moving.frame.space


def test_slides_read_tile_by_tile_give_the_field_of_the_sections() -> None:
    problem = make_problem(draw_slide(), draw_slide(5, "moving"))
    learned = LearnedField(build_active_network(TINY["fcn"]), 96, 2.0, CPU)
    placement = between(*problem.sections)
    whole = learned.register_sections(*problem.sections, placement)
    tiled = learned.register_slides(*problem.slides, placement, 2.0, TilingConfig(96, 8, 4))
    fixed = problem.sections[0]
    tissue = fixed.frame.centres_um()[fixed.region.ravel()]
    assert np.abs(whole(tissue) - tissue).max() > 1
    distance_px = np.hypot(*(whole(tissue) - tiled(tissue)).T) / 2.0
    assert np.median(distance_px) < 0.1


def save_deformable(folder: Path) -> Path:
    training = DeformableTraining(network=TINY["fcn"], pairs=PairsConfig(mpp=1.5))
    path = folder / "deformable.safetensors"
    save_weights(path, DeformableTask(training), Checkpoint())
    return path


def test_weights_are_loaded_with_the_resolution_they_were_trained_at(tmp_path: Path) -> None:
    learned = LearnedField.load(save_deformable(tmp_path))
    assert learned.mpp == 1.5
    assert not learned.network.training


def test_weights_of_an_affine_network_are_one_line(tmp_path: Path) -> None:
    training = AffineTraining(network=SMALL_AFFINE, pairs=PairsConfig(section_px=(64, 128)))
    path = tmp_path / "affine.safetensors"
    save_weights(path, AffineTask(training), Checkpoint())
    message = "weights of another architecture; expected deformable; got affine"
    with pytest.raises(InputError, match=message):
        LearnedField.load(path)


def shift_stage(
    network: ShiftNetwork, config: LearnedFieldConfig | None = None
) -> LearnedFieldStage:
    learned = LearnedField(network, 96, None, CPU)
    return LearnedFieldStage(config or LearnedFieldConfig(), learned)


@pytest.mark.parametrize("mpp", [None, 2.0])
def test_a_field_that_helps_is_accepted(
    problem: Problem, fixed: Section, moving: Section, mpp: float | None
) -> None:
    px = 3.0 if mpp is None else 3.0 * frame_tissue(fixed, 96).mpp[0] / mpp
    stage = shift_stage(ShiftNetwork(px), LearnedFieldConfig(mpp=mpp))
    before = state_at(problem, shift_left(fixed, moving, 3))
    after = run_stage(stage, before, ignore)
    (record,) = after.records
    assert record.name == "learned field"
    assert record.accepted
    assert record.score_after > before.score
    assert after.displacement is not None
    assert after.solution is not None
    tissue = fixed.frame.centres_um()[fixed.region.ravel()]
    assert np.allclose(after.solution(tissue), tissue, atol=0.1)
    assert after.overrides == {"deformable": LearnedFieldConfig().optimise}


@pytest.mark.parametrize(
    ("network", "note"),
    [(ShiftNetwork(3.0), "no deformation needed"), (ShiftNetwork(3.0, fold=True), "folds on")],
)
def test_a_field_that_folds_or_does_not_help_is_rejected(
    problem: Problem, fixed: Section, moving: Section, network: ShiftNetwork, note: str
) -> None:
    score = -1.0 if network.fold else None  # whatever folds would be better than this
    before = state_at(problem, shift_left(fixed, moving, 0), score)
    after = run_stage(shift_stage(network), before, ignore)
    assert after.displacement is None
    assert after.solution is before.solution
    (record,) = after.records
    assert not record.accepted
    assert note in record.note


def test_an_impossible_resolution_is_refused() -> None:
    with pytest.raises(InputError, match="mpp out of range"):
        LearnedFieldConfig(mpp=0.0)


def test_a_stage_is_made_from_its_settings_with_its_weights(
    problem: Problem, tmp_path: Path
) -> None:
    config = LearnedFieldConfig(str(save_deformable(tmp_path)))
    stage = LearnedFieldStage.make(config, problem.context)
    assert stage.config is config
    assert stage.network.mpp == 1.5
