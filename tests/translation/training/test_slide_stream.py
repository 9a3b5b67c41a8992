"""Tiles from whole slides."""

from __future__ import annotations

import pickle
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame
from stainbridge.geometry.transform import Affine
from stainbridge.slides.memory import ArraySlide
from stainbridge.translation.training.slide_stream import SlideStream, TissueSampler, TrainingSlides

MPP = 0.5


def pixels(shift: int = 0) -> np.ndarray:
    """(3, 200, 240): a square of tissue on glass, its corner at column 60 + shift, row 50."""
    rng = np.random.default_rng(0)
    texture = rng.integers(60, 170, (3, 100, 120), np.uint8)
    whole = np.full((3, 200, 240), 245, np.uint8)
    whole[:, 50:150, 60 + shift : 180 + shift] = texture
    return whole


def slide(shift: int = 0, mpp: float | None = MPP) -> ArraySlide:
    return ArraySlide(pixels(shift), mpp, f"slide{shift}")


def pair(shift: int = 20, *, known: bool = True, reverse: bool = False) -> TrainingSlides:
    """The moving slide shows the fixed one's tissue `shift` pixels further right."""
    matrix = np.eye(3)
    matrix[0, 2] = shift * MPP
    transform = Affine(matrix, slide().frame.space, slide(shift).frame.space) if known else None
    return TrainingSlides(slide, partial(slide, shift), transform, reverse)


def stream(*pairs: TrainingSlides, paired: bool = True, seed: int = 0) -> SlideStream:
    return SlideStream(pairs, 32, MPP, (3, 3), seed, paired)


def test_pairs_show_one_place_of_both_slides() -> None:
    for number in range(6):
        source, target, paired, _ = stream(pair())[number]
        assert paired
        assert source.shape == (3, 32, 32)
        assert (source - target).abs().mean() < 0.05


def test_tiles_hold_tissue_and_samples_are_what_their_numbers_say() -> None:
    tiles = [stream(pair())[number].source for number in range(12)]
    assert min(float((tile.mean(0) < 0.7).float().mean()) for tile in tiles) > 0.5
    again = stream(pair())
    assert all(torch.equal(again[number].source, tiles[number]) for number in (7, 2, 11))
    assert len({float(tile.sum()) for tile in tiles}) == 12


def test_worker_processes_make_the_same_samples() -> None:
    made = stream(pair())
    sent = pickle.loads(pickle.dumps(made))
    assert torch.equal(sent[3].target, made[3].target)


def test_unpaired_tiles_need_no_transform_and_show_places_of_their_own() -> None:
    source, target, paired, _ = stream(pair(known=False), paired=False)[0]
    assert not paired
    assert (source - target).abs().mean() > 0.1
    with pytest.raises(InputError, match="pair 2: no transform between the slides"):
        stream(pair(), pair(known=False))


def test_the_source_may_be_the_moving_slide() -> None:
    there, back = (stream(pair(reverse=reverse))[3] for reverse in (False, True))
    assert (back.source - back.target).abs().mean() < 0.05
    assert there.source.shape == back.source.shape


def test_slides_without_tissue_or_pixel_size_are_refused() -> None:
    glass = TrainingSlides(
        lambda: ArraySlide(np.full((3, 64, 64), 245, np.uint8), MPP, "glass"), slide
    )
    with pytest.raises(InputError, match="glass: no tissue found"):
        stream(glass, paired=False)[0]
    bare = TrainingSlides(lambda: slide(0, None), slide)
    with pytest.raises(InputError, match="slide0: the slide has no pixel size"):
        stream(bare, paired=False)[0]
    with pytest.raises(InputError, match="no slides to train on"):
        stream()


def test_other_channels_are_refused() -> None:
    dark = ArraySlide(np.repeat(pixels()[:1], 2, axis=0), MPP, "dark")
    with pytest.raises(InputError, match="dark: wrong channels; expected 3 or grey; got 2"):
        stream(TrainingSlides(lambda: dark, slide), paired=False)[0]


def test_a_tile_beside_the_tissue_counts_the_share_inside() -> None:
    sampler = TissueSampler.of_slide(slide())
    region = np.zeros_like(sampler.region)
    region[100, 120] = True
    rng = np.random.default_rng(0)
    frame, share = replace(sampler, region=region).draw(rng, 32, MPP)
    assert isinstance(frame, Frame)
    assert frame.contains(np.array([[120.5 * MPP, 100.5 * MPP]])).all()
    assert 0 < share < 2 / 32**2
