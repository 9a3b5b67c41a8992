"""The store of made pictures."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from stainbridge.errors import InputError
from stainbridge.translation.objectives.image_buffer import ImageBuffer

SHAPE = (1, 2, 2)


def numbered(number: int) -> Tensor:
    """A batch of one picture that says which it is."""
    return torch.full((1, *SHAPE), float(number))


def test_until_it_is_full_pictures_come_back_as_they_are() -> None:
    buffer = ImageBuffer(5, SHAPE)
    for number in range(5):
        assert torch.equal(buffer(numbered(number)), numbered(number))
    assert buffer.pictures[:, 0, 0, 0].tolist() == [0, 1, 2, 3, 4]


def test_then_half_are_older_and_none_comes_back_twice() -> None:
    torch.manual_seed(0)
    buffer = ImageBuffer(5, SHAPE)
    returned = [int(buffer(numbered(number)).mean()) for number in range(205)]
    later = [(number, got) for number, got in enumerate(returned) if number >= 5]
    older = [got for number, got in later if got < number]
    assert 70 < len(older) < 130
    assert all(got <= number for number, got in later)
    assert len(set(older)) > len(older) - 6  # the first five were shown when they came in, too
    held = set(buffer.pictures[:, 0, 0, 0].int().tolist())
    assert len(held) == 5
    assert not held & set(older)


def test_what_is_held_is_stored_with_a_run() -> None:
    torch.manual_seed(0)
    one, two = ImageBuffer(3, SHAPE), ImageBuffer(3, SHAPE)
    for number in range(4):
        one(numbered(number))
    two.load_state_dict(one.state_dict())
    state = torch.get_rng_state()
    continued = [one(numbered(number)) for number in range(4, 9)]
    torch.set_rng_state(state)
    resumed = [two(numbered(number)) for number in range(4, 9)]
    assert all(torch.equal(a, b) for a, b in zip(continued, resumed, strict=True))


def test_no_gradient_comes_out_and_precision_is_finer_than_eight_bits() -> None:
    torch.manual_seed(0)
    buffer = ImageBuffer(1, (3, 8, 8))
    first = (2 * torch.rand(1, 3, 8, 8) - 1).requires_grad_()
    assert not buffer(first).requires_grad
    assert (buffer.pictures[0] - first[0]).abs().max() < 1 / 255 / 4


def test_without_capacity_all_are_new() -> None:
    buffer = ImageBuffer(0, SHAPE)
    assert [float(buffer(numbered(number)).mean()) for number in range(9)] == list(range(9))


def test_other_shapes_and_capacities_are_refused() -> None:
    with pytest.raises(InputError, match="another shape"):
        ImageBuffer(2, SHAPE)(torch.zeros(1, 1, 3, 3))
    with pytest.raises(InputError, match="capacity of a buffer is negative"):
        ImageBuffer(-1, SHAPE)
