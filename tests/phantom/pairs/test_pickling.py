"""Generated slides pickle by what made them: a copy in another process is the same slide."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context

import numpy as np
import pytest

from stainbridge.phantom.glass.generated import GeneratedSlide
from stainbridge.phantom.glass.tissue_slide import TissueClassSlide, TissueDyeSlide
from stainbridge.phantom.pairs.pair import PhantomPair, generate_pair
from stainbridge.phantom.patches import PatchConfig, Patches

#: A pickled slide holds settings, not pixels or fields.
MAX_SLIDE_BYTES = 20_000
MAX_PAIR_BYTES = 60_000


@pytest.fixture(scope="module")
def child() -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        yield pool


@pytest.fixture(scope="module")
def pair() -> PhantomPair:
    """A pair that was read, so that it has cached all it can."""
    pair = generate_pair(
        seed=3, size_px=256, mpp=6.0, difficulty="hard", moving_stain="IF", organ="any"
    )
    pair.read_with_truth(32)
    for slide in (pair.fixed, pair.moving):
        slide.classes.read(slide.frame.fit(64))
    return pair


def slides(pair: PhantomPair) -> dict[str, GeneratedSlide]:
    section = pair.fixed.section
    return {
        "fixed": pair.fixed,
        "moving": pair.moving,
        "classes": pair.moving.classes,
        "tissue dyes": TissueDyeSlide(section),
        "tissue classes": TissueClassSlide(section),
    }


@pytest.mark.parametrize("name", ["fixed", "moving", "classes", "tissue dyes", "tissue classes"])
def test_a_child_process_reads_equal_pixels_in_the_same_space(
    pair: PhantomPair, child: ProcessPoolExecutor, name: str
) -> None:
    slide = slides(pair)[name]
    frame = slide.levels[-1].fit(96)
    own = slide.read(frame)
    assert len(pickle.dumps(slide)) < MAX_SLIDE_BYTES
    other = child.submit(slide.read, frame).result()
    np.testing.assert_array_equal(other.pixels, own.pixels)
    copy = pickle.loads(pickle.dumps(slide))
    assert copy.frame == slide.frame
    assert copy.frame.space == slide.frame.space
    assert copy.info == slide.info


def test_a_pair_in_a_child_process_is_the_same_pair(
    pair: PhantomPair, child: ProcessPoolExecutor
) -> None:
    assert len(pickle.dumps(pair)) < MAX_PAIR_BYTES
    fixed, moving, truth = child.submit(pair.read_with_truth, 32).result()
    own_fixed, own_moving, own_truth = pair.read_with_truth(32)
    np.testing.assert_array_equal(fixed.pixels, own_fixed.pixels)
    np.testing.assert_array_equal(moving.pixels, own_moving.pixels)
    assert fixed.frame.space == pair.fixed.frame.space
    assert moving.frame.space == pair.moving.frame.space
    np.testing.assert_array_equal(truth.forward.displacement, own_truth.forward.displacement)
    np.testing.assert_array_equal(truth.inverse.displacement, own_truth.inverse.displacement)
    np.testing.assert_array_equal(truth.valid, own_truth.valid)
    copy = pickle.loads(pickle.dumps(pair))
    assert copy.truth.source == pair.truth.source
    assert copy.truth.target == pair.truth.target
    np.testing.assert_array_equal(copy.moving_landmarks.points_px, pair.moving_landmarks.points_px)


def test_two_generated_slides_have_spaces_of_their_own(pair: PhantomPair) -> None:
    again = generate_pair(pair.config)
    assert again.fixed.frame.space != pair.fixed.frame.space
    assert pair.fixed.frame.space != pair.moving.frame.space


def test_patches_pickle_after_they_were_read() -> None:
    patches = Patches(PatchConfig(size_px=48, pairs_per_block=1), seed=2)
    first = patches[0]
    copy = pickle.loads(pickle.dumps(patches))
    assert copy == patches
    np.testing.assert_array_equal(copy[0].fixed, first.fixed)


def test_a_changed_copy_does_not_show_what_the_original_cached(pair: PhantomPair) -> None:
    plain = replace(pair.fixed, holes=(), pieces=(), artefacts=())
    copy = pickle.loads(pickle.dumps(plain))
    frame = plain.frame.fit(64)
    np.testing.assert_array_equal(copy.read(frame).pixels, plain.read(frame).pixels)
