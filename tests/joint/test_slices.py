"""Grey pictures of slides, and stacks of slices read into memory."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import numpy.typing as npt
import pytest
import torch

from stainbridge.errors import InputError
from stainbridge.geometry.transform import Affine
from stainbridge.joint.grey import SlideGrey
from stainbridge.joint.slices import SIZE_STEP, read_slices
from stainbridge.slides.case import Case
from stainbridge.slides.memory import ArraySlide

Array = npt.NDArray[np.generic]


def draw_tissue(height: int = 120, width: int = 90, value: float = 0.5) -> Array:
    """Return a dark field (1, H, W) with a textured disc."""
    y, x = np.mgrid[:height, :width]
    disc = (x - width / 2) ** 2 + (y - height / 2) ** 2 < (0.35 * width) ** 2
    texture = value + 0.2 * np.sin(x / 5) * np.cos(y / 7)
    return np.where(disc, 255 * texture, 0).astype(np.uint8)[None]


def make_case(name: str, fixed: Array, moving: Array, **pictures: Array | None) -> Case:
    openers = {
        f"open_{side}": None if array is None else partial(ArraySlide, array, mpp=2.0)
        for side, array in pictures.items()
    }
    case = Case(name, partial(ArraySlide, fixed, mpp=2.0), partial(ArraySlide, moving, mpp=2.0))
    return replace(case, **openers)  # type: ignore[arg-type]


def identity(slide: ArraySlide) -> Affine:
    return Affine(np.eye(3), slide.frame.space, slide.frame.space)


def test_grey_values_are_the_files_own_inside_the_mask_and_black_outside() -> None:
    slide = ArraySlide(draw_tissue(), mpp=2.0)
    mask = replace(slide.read(slide.frame), pixels=np.zeros((1, 120, 90), np.uint8))
    mask.pixels[:, 40:80, 30:60] = 1
    grey, allowed = SlideGrey.fit(slide, mask).read(identity(slide), slide.frame)
    inside = np.s_[45:75, 35:55]
    np.testing.assert_allclose(grey[inside], draw_tissue()[0][inside] / 255, atol=1e-6)
    assert allowed[inside].min() == 1
    assert grey[:30].max() == 0


def test_parts_of_a_slide_have_the_grey_values_of_the_whole() -> None:
    slide = ArraySlide(draw_tissue(), mpp=2.0)
    grey = SlideGrey.fit(slide)
    whole, _ = grey.read(identity(slide), slide.frame)
    part, _ = grey.read(identity(slide), slide.frame.crop(20, 30, 40, 50))
    np.testing.assert_allclose(part, whole[30:80, 20:60], atol=1e-6)


def test_more_than_eight_bits_are_scaled_to_the_tissues_brightest() -> None:
    slide = ArraySlide(draw_tissue().astype(np.uint16) * 9, mpp=2.0)
    grey, _ = SlideGrey.fit(slide).read(identity(slide), slide.frame)
    assert 0.9 < grey.max() <= 1


def test_flat_tissue_is_refused() -> None:
    slide = ArraySlide(draw_tissue(), mpp=2.0)
    flat = ArraySlide(np.where(draw_tissue() > 0, 90, 0).astype(np.uint8), mpp=2.0)
    mask = replace(slide.read(slide.frame), pixels=(draw_tissue() > 0).astype(np.uint8))
    with pytest.raises(InputError, match="flat"):
        SlideGrey.fit(flat, mask)


def test_a_stack_is_read_on_one_grid_with_masks_and_labels() -> None:
    picture = draw_tissue()
    labels = (picture > 0).astype(np.uint8) + (picture > 120)
    cases = [
        make_case(f"slice_{number}", picture, picture, fixed_labels=labels, moving_labels=labels)
        for number in range(3)
    ]
    stack = read_slices(cases, mpp=None, longest_px=60)
    assert stack.mpp == pytest.approx(4.0)
    assert stack.names == ("slice_0", "slice_1", "slice_2")
    height, width = stack.fixed.pictures.shape[-2:]
    assert (height, width) == (64, 64)
    assert height % SIZE_STEP == width % SIZE_STEP == 0
    assert stack.classes == 2
    assert stack.calibrated
    assert stack.tissue_px == pytest.approx(0.7 * 90 * 2 / 4, abs=4)  # found, with a rim
    assert stack.fixed.labels is not None
    overlap = stack.fixed.labels.sum(1).bool() & (stack.fixed.pictures[:, 0] > 0)
    assert overlap.sum() > 0.95 * stack.fixed.labels.sum()
    assert torch.equal(stack.fixed.pictures, stack.moving.pictures)
    assert float(stack.fixed.pictures[..., 45:].abs().max()) == 0  # the margin is black


def test_a_selection_keeps_the_order_and_the_places_of_the_stack() -> None:
    cases = [make_case(f"s{number}", draw_tissue(), draw_tissue()) for number in range(4)]
    stack = read_slices(cases, mpp=8.0, longest_px=0)
    chosen = stack.select(["s3", "s1"])
    assert chosen.names == ("s1", "s3")
    assert chosen.positions == (1, 3)
    assert torch.equal(chosen.fixed.pictures[1], stack.fixed.pictures[3])
    with pytest.raises(InputError, match="no such slices"):
        stack.select(["s9"])


def test_labels_of_one_modality_alone_are_no_classes() -> None:
    picture = draw_tissue()
    labels = (picture > 0).astype(np.uint8)
    stack = read_slices([make_case("a", picture, picture, fixed_labels=labels)], 4.0, 0)
    assert stack.classes == 0


@pytest.mark.parametrize(
    ("pictures", "message"),
    [
        ({"fixed_mask": np.zeros((1, 120, 90), np.uint8)}, "mask is empty"),
        ({"moving_mask": np.ones((1, 60, 90), np.uint8)}, "size of their slice"),
        ({"fixed_labels": np.ones((1, 120, 90), np.float32)}, "whole numbers"),
        ({"moving_labels": np.full((1, 120, 90), 200, np.uint8)}, "too many classes"),
    ],
)
def test_masks_and_labels_that_cannot_be_used_are_refused(
    pictures: dict[str, Array], message: str
) -> None:
    case = make_case("a", draw_tissue(), draw_tissue(), **pictures)
    with pytest.raises(InputError, match=message):
        read_slices([case], 4.0, 0)


def test_no_slices_are_refused() -> None:
    with pytest.raises(InputError, match="no slices"):
        read_slices([], 4.0, 0)
