"""Instance optimisation recovers known deformations without folds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import map_coordinates
from tests.registration.networks import CPU, ShiftNetwork
from tests.registration.pictures import SIZE, between, draw_tissue, section_of
from tests.registration.states import ignore, make_problem, state_at
from tests.registration.training.sections import section as draw_slide

from stainbridge.geometry.transform import Chain, DisplacementField
from stainbridge.registration.config import DeformableConfig
from stainbridge.registration.sections.views import frame_tissue
from stainbridge.registration.stages.deformable import (
    DeformableStage,
    deform,
    warp_section,
    weigh_agreement,
)
from stainbridge.registration.stages.learned_field import LearnedField
from stainbridge.registration.stages.stage import Problem
from stainbridge.registration.verdict.verification import measure_folded_share


def test_a_known_deformation_is_recovered_without_folds() -> None:
    y, x = np.mgrid[:SIZE, :SIZE].astype(float)
    shift = np.stack([5 * np.sin(y / 55), 6 * np.cos(x / 70)])
    pixels = draw_tissue()
    deformed = [map_coordinates(p, [y - shift[1], x - shift[0]], order=1, cval=245) for p in pixels]
    fixed = section_of(pixels, "fixed")
    moving = section_of(np.stack(deformed), "moving")
    config = DeformableConfig(sizes_px=(128, 256, 384))
    deformation = deform(fixed, moving, between(fixed, moving), config)
    field = deformation.field
    points = fixed.frame.centres_um()[fixed.region.ravel()][::97]
    # moving(q) = fixed(q - shift(q)): a fixed point p is seen where q - shift(q) = p.
    q = points.copy()
    for _ in range(20):
        step = [5 * np.sin((q[:, 1] - 0.5) / 55), 6 * np.cos((q[:, 0] - 0.5) / 70)]
        q = points + np.stack(step, 1)
    before = np.linalg.norm(points - q, axis=1)
    after = np.linalg.norm(field(points) - q, axis=1)
    assert np.median(after) < 0.5 < 3 < np.median(before)
    assert measure_folded_share(field, fixed.frame) == 0
    assert 0 < deformation.disagreement_um < 1


def test_a_deformation_far_beyond_the_texture_needs_matches() -> None:
    y, x = np.mgrid[:SIZE, :SIZE].astype(float)
    pixels = draw_tissue()
    deformed = [
        map_coordinates(p, [y - 24 * np.cos(x / 60), x - 24 * np.sin(y / 60)], order=1, cval=245)
        for p in pixels
    ]
    fixed = section_of(pixels, "fixed")
    moving = section_of(np.stack(deformed), "moving")
    points = fixed.frame.centres_um()[fixed.region.ravel()][::97]
    q = points.copy()
    for _ in range(50):  # moving(q) = fixed(q - shift(q))
        step = [np.sin((q[:, 1] - 0.5) / 60), np.cos((q[:, 0] - 0.5) / 60)]
        q = (q + points + 24 * np.stack(step, 1)) / 2
    config = DeformableConfig(sizes_px=(128, 256), steps=(40, 40), symmetric=False)
    without, matched = (
        deform(fixed, moving, between(fixed, moving), each).field(points)
        for each in (replace(config, matching=None), config)
    )
    assert np.median(np.linalg.norm(matched - q, axis=1)) < 0.5
    assert np.median(np.linalg.norm(without - q, axis=1)) > 10


def test_where_the_directions_disagree_the_forward_one_stands() -> None:
    distance = np.ones((60, 80), np.float32)
    distance[20:30, 40:50] = 30.0
    weight = weigh_agreement(distance, 1.0)
    assert weight[20:30, 40:50].max() < 0.5
    assert weight[25, 45] < 0.02
    assert weight[:, :25].min() > 0.99
    assert np.abs(np.diff(weight, axis=0)).max() < 0.25  # no steps, which would fold
    assert weigh_agreement(np.ones((60, 80), np.float32), 1.0).min() > 0.99


@pytest.fixture(scope="module")
def problem() -> Problem:
    """One section on two slides."""
    return make_problem(draw_slide(), draw_slide(0, "moving"))


def test_a_warped_section_lies_on_the_fixed_one(problem: Problem) -> None:
    fixed, moving = problem.sections
    half = fixed.frame.fit(80)
    step = np.full((2, half.height, half.width), 4.0, np.float32)
    field = DisplacementField(step, half, fixed.frame.space, fixed.frame.space)
    back = between(fixed, moving, np.array([[1, 0, -4.0], [0, 1, -4.0], [0, 0, 1]]))
    warped = warp_section(moving, Chain((field, back)), fixed)
    assert warped.frame == fixed.frame
    assert np.abs(warped.density - fixed.density).mean() < 0.01
    assert (warped.region == fixed.region).mean() > 0.99


def test_optimisation_continues_from_a_displacement(problem: Problem) -> None:
    fixed, moving = problem.sections
    matrix = np.eye(3)
    matrix[0, 2] = -5 * frame_tissue(fixed, 96).mpp[0]
    placement = between(fixed, moving, matrix)
    network = LearnedField(ShiftNetwork(4.0), 96, None, CPU)
    displacement = network.register_sections(fixed, moving, placement)
    stage = DeformableStage(DeformableConfig(sizes_px=(96,), steps=(30,), symmetric=False))
    state = replace(state_at(problem, placement), displacement=displacement)
    proposal = stage(state, ignore)
    assert proposal is not None
    assert proposal.displacement is not None
    tissue = fixed.frame.centres_um()[fixed.region.ravel()]
    before, after = (
        float(np.median(np.hypot(*(Chain((field, placement))(tissue) - tissue).T)))
        for field in (displacement, proposal.displacement)
    )
    assert after < 0.5 * before
