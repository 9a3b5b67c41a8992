"""Pairs to train on: exact fields, repeatable samples."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.joint.sar.pictures import SIZE_PX, Blobs

from stainbridge.geometry.flow import warp
from stainbridge.joint.sar.config import PAPER_SIZE_PX, SarPairsConfig
from stainbridge.joint.sar.deform import draw_deformation, invert_displacement, sample_b_splines
from stainbridge.joint.sar.stream import SarStream

PAIRS = SarPairsConfig(size_px=SIZE_PX, displacement_px=(20.0, 40.0))
INNER = slice(6, -6)


@pytest.mark.parametrize("turn", [False, True])
def test_the_fields_bring_each_picture_and_mask_onto_the_other(turn: bool) -> None:
    stream = SarStream(Blobs(), replace(PAIRS, turn=turn), 4)
    for number in range(6):
        sample = stream[number]
        forward = warp(sample.floating[None], sample.truth[None])[0] - sample.reference
        backward = warp(sample.reference[None], sample.applied[None])[0] - sample.floating
        before = (sample.floating - sample.reference)[..., INNER, INNER].abs().mean()
        assert backward[..., INNER, INNER].abs().mean() < 1e-4
        assert forward[..., INNER, INNER].abs().mean() < 0.4 * before
        masks = warp(sample.floating_mask[None], sample.truth[None])[0] - sample.reference_mask
        assert masks[..., INNER, INNER].abs().mean() < 0.05
        assert float(sample.known) == 1


def test_displacements_lie_in_their_range_at_the_size_of_the_pictures() -> None:
    stream = SarStream(Blobs(), PAIRS, 0)
    for number in range(5):
        longest = float(stream[number].applied.norm(dim=0).max()) * PAPER_SIZE_PX / SIZE_PX
        assert longest <= 40.1
        assert longest > 10  # weaker than drawn only where it would fold


def test_a_sample_depends_on_its_number_and_the_seed_alone() -> None:
    config = replace(PAIRS, others=0.5, turn=True, contrast=0.2)
    stream = SarStream(Blobs(), config, 1)
    again = SarStream(Blobs(), config, 1)
    other = SarStream(Blobs(), config, 2)
    later = again[7]
    assert all(torch.equal(a, b) for a, b in zip(stream[7], later, strict=True))
    assert not torch.equal(other[7].floating, later.floating)


def test_other_pictures_are_aligned_by_their_masks_and_their_field_is_not_known() -> None:
    config = replace(PAIRS, others=1.0, displacement_px=(0.1, 0.2))
    aligned = SarStream(Blobs(), config, 1)
    as_they_lie = SarStream(Blobs(has_masks=False), config, 1)
    columns, rows = torch.meshgrid(*2 * [torch.arange(SIZE_PX)], indexing="xy")

    def find_centre(mask: torch.Tensor) -> torch.Tensor:
        return torch.stack([(mask * axis).sum() / mask.sum() for axis in (columns, rows)])

    for number in range(4):
        sample = aligned[number]
        assert float(sample.known) == 0
        assert float(as_they_lie[number].floating_mask.abs().max()) == 0
        assert not torch.equal(sample.floating, as_they_lie[number].floating)
        centres = [find_centre(mask) for mask in (sample.reference_mask, sample.floating_mask)]
        assert float((centres[0] - centres[1]).norm()) < 1


def test_validation_pairs_are_known_and_in_their_own_contrast() -> None:
    config = replace(PAIRS, others=1.0, turn=True, contrast=0.5)
    sample = SarStream(Blobs(), config, 1).for_validation(9)[0]
    assert float(sample.known) == 1
    pictures = [torch.from_numpy(Blobs()[number].picture) for number in range(4)]
    assert any(torch.equal(sample.reference[0], picture) for picture in pictures)


def test_b_splines_sum_to_1_and_an_inverse_undoes_its_field() -> None:
    np.testing.assert_allclose(sample_b_splines(33, 5).sum(1), 1, atol=1e-6)
    field = draw_deformation(np.random.default_rng(0), 64, 5, 6.0)
    inverse = invert_displacement(field)
    total = torch.from_numpy(inverse)[None] + warp(
        torch.from_numpy(field)[None], torch.from_numpy(inverse)[None]
    )
    assert float(total[..., INNER, INNER].abs().max()) < 1e-3
