"""Contrastive losses between places of pictures."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from stainbridge.errors import InputError
from stainbridge.translation.objectives.patch_nce import (
    adaptive_patch_nce,
    adaptive_weights,
    contrast,
    draw_locations,
    patch_nce,
)


def vectors(seed: int, places: int = 12) -> Tensor:
    """Unit vectors (2, places, 16)."""
    return normalize(
        torch.randn(2, places, 16, generator=torch.Generator().manual_seed(seed)), dim=-1
    )


def test_places_are_different_and_on_the_layer() -> None:
    torch.manual_seed(0)
    many, few = draw_locations([torch.rand(1, 3, 8, 9), torch.rand(1, 5, 2, 2)], 10)
    assert len(set(many.tolist())) == 10
    assert max(many.tolist()) < 72
    assert sorted(few.tolist()) == [0, 1, 2, 3]


def test_places_are_drawn_inside_the_mask_on_every_layers_grid() -> None:
    mask = torch.zeros(1, 1, 16, 24)
    mask[..., 4:8, 9] = 1  # a line that touches one column of every grid
    layers = [torch.rand(2, 3, 16, 24), torch.rand(2, 5, 4, 6), torch.rand(2, 5, 2, 3)]
    fine, coarse, coarsest = draw_locations(layers, 3, mask)
    assert len(fine) == 3
    assert {(int(place) // 24, int(place) % 24) for place in fine} <= {(y, 9) for y in range(4, 8)}
    assert coarse.tolist() == [1 * 6 + 2]  # fewer than asked for: all
    assert coarsest.tolist() == [1]
    assert fine.tolist() != draw_locations(layers, 3, mask)[0].tolist()


def test_places_are_inside_the_masks_of_all_pictures() -> None:
    masks = torch.zeros(2, 1, 8, 8)
    masks[0, 0, :, :5] = 1
    masks[1, 0, :, 4:] = 1
    (places,) = draw_locations([torch.rand(2, 3, 8, 8)], 99, masks)
    assert {int(place) % 8 for place in places} == {4}
    assert len(places) == 8


def test_an_empty_mask_is_refused() -> None:
    with pytest.raises(InputError, match="no location is inside the mask"):
        draw_locations([torch.rand(1, 3, 8, 8)], 4, torch.zeros(1, 1, 8, 8))


def test_without_a_mask_places_are_those_of_before() -> None:
    """Runs of earlier versions resume bit for bit."""
    torch.manual_seed(7)
    (places,) = draw_locations([torch.rand(1, 1, 3, 3)], 4)
    torch.manual_seed(7)
    torch.rand(1, 1, 3, 3)
    assert torch.equal(places, torch.randperm(9)[:4])


def test_a_lower_temperature_sharpens_the_contrast() -> None:
    query, reference = [vectors(0)], [vectors(1)]
    assert torch.equal(patch_nce(query, reference), patch_nce(query, reference, 0.07))
    wanted = contrast(query[0], reference[0], 0.05).mean()
    assert torch.equal(patch_nce(query, reference, 0.05), wanted)
    assert wanted > patch_nce(query, reference)


def test_contrast_is_the_cross_entropy_of_finding_the_same_place() -> None:
    query = reference = torch.eye(3)[None]
    wanted = -math.log(math.exp(1 / 0.5) / (math.exp(1 / 0.5) + 2))
    assert contrast(query, reference, 0.5)[0].tolist() == pytest.approx([wanted] * 3, rel=1e-5)
    alike = torch.ones(1, 4, 1)
    assert contrast(alike, alike)[0].tolist() == pytest.approx([math.log(4)] * 4, rel=1e-5)


def test_the_same_places_cost_less_than_shuffled_ones_and_pictures_do_not_mix() -> None:
    query = vectors(0)
    assert contrast(query, query).mean() < 0.1 < contrast(query, query.roll(1, 1)).mean()
    assert torch.allclose(contrast(query, vectors(1))[1:], contrast(query[1:], vectors(1)[1:]))


def test_only_the_query_learns() -> None:
    query, reference = vectors(0).requires_grad_(), vectors(1).requires_grad_()
    adaptive_patch_nce([query], [reference], 0.5).backward()
    assert query.grad is not None
    assert query.grad.any()
    assert reference.grad is None


def test_adaptive_weights_begin_equal_and_end_low_where_the_pair_disagrees() -> None:
    query = vectors(0)
    reference = query.clone()
    reference[:, :4] = -reference[:, :4]  # misaligned
    begin, middle, end = (adaptive_weights(query, reference, done) for done in (0.0, 0.5, 1.0))
    assert torch.equal(begin, torch.ones_like(begin))
    for weights in (begin, middle, end):
        assert torch.allclose(weights.mean(1), torch.ones(2))
    assert (end[:, :4] < middle[:, :4]).all()
    assert (middle[:, :4] < 1).all()
    assert (end[:, 4:] > 1).all()
    ratio = (1 + math.exp(-2.5)) / (1 + math.exp(2.5))  # sigmoids of 5 (0 - 0.5) and 5 (1 - 0.5)
    assert float(end[0, 0] / end[0, 4]) == pytest.approx(ratio, rel=1e-4)


def test_adaptive_is_plain_at_the_beginning_and_forgives_misaligned_places_at_the_end() -> None:
    query = vectors(0)
    reference = query.clone()
    reference[:, :4] = vectors(2)[:, :4]
    plain = patch_nce([query], [reference])
    assert torch.allclose(adaptive_patch_nce([query], [reference], 0.0), plain)
    assert adaptive_patch_nce([query], [reference], 1.0) < 0.8 * plain


def test_layers_are_averaged() -> None:
    one, two = patch_nce([vectors(0)], [vectors(1)]), patch_nce([vectors(2, 5)], [vectors(3, 5)])
    assert torch.allclose(
        patch_nce([vectors(0), vectors(2, 5)], [vectors(1), vectors(3, 5)]), (one + two) / 2
    )


def test_unequal_numbers_of_places_are_refused() -> None:
    with pytest.raises(InputError, match="as many queries"):
        contrast(vectors(0, 5), vectors(1, 6))
