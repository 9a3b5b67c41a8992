"""The loss of a registration network, computed again by hand: every term and every weight."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from tests.registration.training.test_task import NET, PATCHES, SECTIONS, affine, batch, deformable
from torch import Tensor

from stainbridge.geometry.flow import warp
from stainbridge.nn.fields import Fields, Term
from stainbridge.registration.training import task as tasks
from stainbridge.registration.training.config import LossConfig
from stainbridge.registration.training.objective import (
    REGULARISERS,
    dissimilarity,
    error_px,
    roughness,
)
from stainbridge.registration.training.task import AffineTask, DeformableTask

LOSSES = [
    LossConfig("ncc", regulariser=name, smoothness=0.7, truth=truth)  # type: ignore[arg-type]
    for name in REGULARISERS
    for truth in (0.0, 0.4)
]


def smooth_field(seed: int, count: int, side: int, amount_px: float) -> Tensor:
    coarse = torch.randn(count, 2, 4, 4, generator=torch.Generator().manual_seed(seed))
    return amount_px * torch.nn.functional.interpolate(coarse, size=(side, side), mode="bicubic")


def number(scalar: Tensor) -> float:
    """The number in a tensor; torch warns of those with a gradient."""
    return float(scalar.detach())


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: f"{loss.regulariser} {loss.truth}")
def test_similarity_regulariser_and_truth_are_summed_by_their_weights(loss: LossConfig) -> None:
    sample = batch(PATCHES)
    task = DeformableTask(deformable("fcn", loss))
    fields = [smooth_field(seed, len(sample.fixed), 64, 8.0) for seed in (1, 2)]
    terms = (Term(fields[0], 0.9, 0.6), Term(fields[1], 0.05, 0.0))
    known: Any = lambda fixed, moving: Fields(fields[1], terms)  # noqa: E731
    task.fields = known  # type: ignore[method-assign]
    (update,) = task.updates(sample)
    unlike = 0.0
    for term in terms:
        inside = tasks._inside_mask(term.displacement)
        warped = warp(sample.moving_density, term.displacement)
        unlike += term.similarity * number(
            dissimilarity(sample.fixed_density, warped, inside, loss)
        )
    rough = 0.6 * number(REGULARISERS[loss.regulariser](fields[0]).mean())
    error = number(error_px(fields[1], sample.truth, sample.tissue).mean())
    wanted = unlike + 0.7 * rough + loss.truth * 100 * error / 64
    assert rough > 0.005
    assert number(update.loss) == pytest.approx(wanted, rel=1e-4)


def test_what_lies_beyond_the_picture_does_not_count() -> None:
    sample = batch(PATCHES)
    task = DeformableTask(deformable("fcn", LossConfig("ncc")))
    field = torch.zeros_like(sample.truth)
    field[:, 0, :, 40:] = 100.0  # these places are taken from beyond the right edge
    term = Term(field)
    inside = torch.ones_like(sample.tissue)
    inside[..., 40:] = 0
    assert torch.equal(tasks._inside_mask(field), inside)
    warped = warp(sample.moving_density, field)
    wanted = dissimilarity(sample.fixed_density, warped, inside, task.objective)
    everywhere = dissimilarity(
        sample.fixed_density, warped, torch.ones_like(inside), task.objective
    )
    assert number(task._dissimilarity(term, sample)) == pytest.approx(number(wanted), rel=1e-5)
    assert abs(number(wanted) - number(everywhere)) > 0.01


def test_pixels_count_by_their_weight() -> None:
    fixed, moving = torch.rand(2, 1, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    weight = torch.zeros(1, 1, 32, 32)
    weight[..., :16] = 1
    moving[..., 16:] = 0
    for name in ("ncc", "local-ncc"):
        config = LossConfig(name, radius=2)
        other = moving.clone()
        other[..., 24:] = 1
        first, second = (
            number(dissimilarity(fixed, picture, weight, config)) for picture in (moving, other)
        )
        assert first == pytest.approx(second, abs=1e-6)


def test_errors_count_over_tissue_alone() -> None:
    truth = torch.zeros(1, 2, 8, 8)
    field = torch.zeros(1, 2, 8, 8)
    field[..., 4:] = 3.0
    tissue = torch.zeros(1, 1, 8, 8)
    tissue[..., :4] = 1
    assert number(error_px(field, truth, tissue)) == pytest.approx(0, abs=2e-3)
    assert number(error_px(field, truth, 1 - tissue)) == pytest.approx(18**0.5, rel=1e-3)


def test_an_affine_map_is_not_regularised() -> None:
    sample = batch(SECTIONS, 1)
    torch.manual_seed(0)
    losses = [
        number(
            next(AffineTask(replace(affine(loss), network=NET)).updates(sample)).metrics[
                "roughness"
            ]
        )
        for loss in (LossConfig("ncc", smoothness=5.0),)
    ]
    assert losses == [0.0]


def test_a_field_s_own_regular_part_is_regularised_where_it_has_one() -> None:
    task = DeformableTask(deformable("fcn", LossConfig("ncc", smoothness=1.0)))
    final, regular = (smooth_field(seed, 1, 32, 1.0) for seed in (4, 5))
    fields = Fields(final, (Term(final),), regular)
    assert number(task._roughness(fields)) == pytest.approx(
        number(roughness(regular, task.objective)), rel=1e-6
    )
