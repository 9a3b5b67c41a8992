"""Samples of a stack: by number, without end, in both modalities or in one."""

from __future__ import annotations

import pickle
from dataclasses import replace

import pytest
import torch
from tests.joint.sbr.stacks import HEIGHT, WIDTH, make_stack
from torch import Tensor
from torch.utils.data import default_collate

from stainbridge.errors import InputError
from stainbridge.joint.sbr.config import SlicesConfig
from stainbridge.joint.sbr.stream import SliceStream

CONFIG = SlicesConfig()


def test_a_number_is_always_the_same_sample_in_any_process() -> None:
    stream = SliceStream(make_stack(), CONFIG, seed=1)
    copy = pickle.loads(pickle.dumps(stream))
    for number in (0, 7):
        for first, second in zip(stream[number], copy[number], strict=True):
            assert torch.equal(first, second)
    assert not torch.equal(stream[0].fixed, stream[6].fixed)


def test_a_round_shows_every_slice_once_as_it_is() -> None:
    stack = make_stack()
    stream = SliceStream(stack, CONFIG, seed=1, is_augmented=False)
    for turn in (0, 1):
        shown = []
        for number in range(turn * len(stack), (turn + 1) * len(stack)):
            sample = stream[number]
            index = find_slice(stack.fixed.pictures, sample.fixed)
            assert torch.equal(stack.moving.pictures[index], sample.moving)
            shown.append(index)
        assert sorted(shown) == list(range(len(stack)))


def find_slice(pictures: Tensor, picture: Tensor) -> int:
    """Return which slice of a stack (S, 1, H, W) a picture (1, H, W) is."""
    return next(i for i in range(len(pictures)) if torch.equal(pictures[i], picture))


def test_both_sides_are_deformed_unlike_and_masks_and_labels_follow() -> None:
    sample = SliceStream(make_stack(), CONFIG, seed=1)[0]
    assert sample.fixed.shape == (1, HEIGHT, WIDTH)
    assert sample.fixed_labels.shape == (2, HEIGHT, WIDTH)
    for picture, mask, labels in (
        (sample.fixed, sample.fixed_mask, sample.fixed_labels),
        (sample.moving, sample.moving_mask, sample.moving_labels),
    ):
        assert torch.allclose(labels.sum(0, keepdim=True), mask, atol=1e-5)
        assert float(picture[mask == 0].abs().sum()) == 0
        assert 0 <= float(picture.min()) <= float(picture.max()) <= 1
    assert not torch.allclose(sample.fixed_mask, sample.moving_mask)


def test_neighbours_are_fixed_slices_near_in_the_stack() -> None:
    stack = make_stack(12)
    config = replace(CONFIG, neighbours=2)
    stream = SliceStream(stack, config, seed=1, shows_neighbours=True, is_augmented=False)
    for number in range(24):
        sample = stream[number]
        own, other = (
            find_slice(stack.fixed.pictures, picture) for picture in (sample.fixed, sample.moving)
        )
        assert 0 < abs(own - other) <= 2


def test_neighbours_are_told_by_their_place_in_the_whole_stack() -> None:
    stack = make_stack(12).select(["slice_0", "slice_1", "slice_8", "slice_9"])
    stream = SliceStream(stack, CONFIG, seed=1, shows_neighbours=True, is_augmented=False)
    for number in range(4):
        own = find_slice(stack.fixed.pictures, stream[number].fixed)
        other = find_slice(stack.fixed.pictures, stream[number].moving)
        assert {own, other} in ({0, 1}, {2, 3})
    lonely = SliceStream(
        make_stack(12).select(["slice_0", "slice_8"]), CONFIG, seed=1, shows_neighbours=True
    )
    with pytest.raises(InputError, match="without neighbours"):
        lonely[0]


def test_crops_are_of_the_size_asked_for_and_share_a_batch() -> None:
    stream = SliceStream(make_stack(), replace(CONFIG, crop_px=(32, 48)), seed=1)
    batch = default_collate([stream[number] for number in range(3)])
    assert batch.fixed.shape == (3, 1, 32, 48)
    assert batch.moving_labels.shape == (3, 2, 32, 48)


def test_without_labels_there_are_no_classes() -> None:
    sample = SliceStream(make_stack(with_labels=False), CONFIG, seed=1)[0]
    assert sample.fixed_labels.shape == (0, HEIGHT, WIDTH)
