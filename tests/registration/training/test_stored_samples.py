"""Samples that are made once."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.registration.training.sections import Blobs

from stainbridge.errors import InputError
from stainbridge.geometry.flow import warp
from stainbridge.registration.training.config import AugmentConfig, PairsConfig
from stainbridge.registration.training.pairs import TrainingPair
from stainbridge.registration.training.stored_samples import StoredStream, reorient
from stainbridge.registration.training.stream import PairStream

AUGMENT = AugmentConfig(
    rotation_deg=(-20, 20), scale=(0.9, 1.1), shift=0.05, elastic=0.02, contrast=0.5, noise=0.02
)
CONFIG = PairsConfig(
    section_px=(64, 64), square=True, stored_samples=3, reuse=2, cached_pairs=2, augment=AUGMENT
)


@dataclass(frozen=True)
class Counted:
    opened: list[int] = field(default_factory=list)

    def __getitem__(self, number: int) -> TrainingPair:
        self.opened.append(number)
        return Blobs()[number]


def test_samples_are_made_once_and_found_again(tmp_path: Path) -> None:
    pairs = Counted()
    stream = StoredStream(PairStream(pairs, CONFIG, 3), tmp_path / "samples")
    first = [stream[number] for number in range(3)]
    made = len(pairs.opened)
    later = [stream[number] for number in range(3, 9)]
    again = StoredStream(PairStream(Counted(), CONFIG, 3), tmp_path / "samples")[4]
    assert len(pairs.opened) == made
    assert len(list((tmp_path / "samples").iterdir())) == 3
    assert all(torch.equal(a, b) for a, b in zip(later[1], again, strict=True))
    assert all(not torch.equal(one.fixed, other.fixed) for one in first for other in later)


def test_every_sample_comes_once_a_turn(tmp_path: Path) -> None:
    stream = StoredStream(
        PairStream(Blobs(), replace(CONFIG, square=False, patch_px=48), 3), tmp_path
    )
    totals = sorted(round(float(stream[number].tissue.sum())) for number in range(3, 6))
    assert totals == sorted(round(float(stream[number].tissue.sum())) for number in range(6, 9))


def test_the_truth_still_brings_one_onto_the_other(tmp_path: Path) -> None:
    plain = replace(CONFIG, augment=replace(AUGMENT, contrast=0.0, noise=0.0))
    stream = StoredStream(PairStream(Blobs(), plain, 3), tmp_path)
    ratios = []
    for number in range(8):
        sample = stream[number]
        warped = warp(sample.moving_density[None], sample.truth[None], "zeros")[0]
        inside = sample.tissue > 0
        before, after = (
            (p - sample.fixed_density).abs()[inside].mean() for p in (sample.moving_density, warped)
        )
        ratios.append(float(after / before))
    assert np.median(ratios) < 0.5


def test_whole_sections_are_deformed_anew(tmp_path: Path) -> None:
    stream = StoredStream(PairStream(Blobs(), replace(CONFIG, stored_samples=1), 3), tmp_path)
    means = [stream[number].truth.mean((1, 2)) for number in range(6)]
    apart = [
        float((one - other).abs().max()) for one in means for other in means if one is not other
    ]
    assert min(apart) > 0.1
    assert float(torch.stack(means).abs().max()) < 0.25 * 64


@pytest.mark.parametrize("orientation", range(8))
def test_a_field_is_reoriented_with_its_picture(orientation: int) -> None:
    picture = torch.rand(1, 32, 32, generator=torch.Generator().manual_seed(0))
    shift = torch.tensor([2.0, -1.0]).view(2, 1, 1).expand(2, 32, 32)
    moved = warp(picture[None], shift[None])[0]
    again = warp(reorient(picture, orientation)[None], reorient(shift, orientation)[None])[0]
    assert torch.allclose(
        reorient(moved, orientation)[:, 4:-4, 4:-4], again[:, 4:-4, 4:-4], atol=1e-5
    )


def test_sections_of_their_own_aspect_cannot_be_kept() -> None:
    with pytest.raises(InputError, match="square"):
        PairsConfig(stored_samples=10)
