from __future__ import annotations

import numpy as np
import pytest

from stainbridge.geometry.transform import Affine
from stainbridge.phantom.pairs.pair import generate_pair
from stainbridge.registration.sections.section import Section, read_section
from stainbridge.registration.verdict.judge import TOLERABLE_RIVAL
from stainbridge.registration.verdict.rival import MOST_RIVAL, measure_rival
from stainbridge.slides.memory import ArraySlide
from stainbridge.types import Pixels

MPP = 8.0


def read(pixels: Pixels) -> Section:
    section = read_section(ArraySlide(pixels, MPP), 256)
    assert section is not None
    return section


def measure(fixed: Pixels, moving: Pixels) -> float:
    """Measure the second best of the placement that leaves all where it is."""
    sections = read(fixed), read(moving)
    spaces = [section.frame.space for section in sections]
    return measure_rival(*sections, Affine(np.eye(3), *spaces))


def stain(depth: np.ndarray) -> Pixels:
    return np.stack([243 - 150 * depth, 243 - 200 * depth, 243 - 120 * depth]).astype(np.uint8)


@pytest.fixture(scope="module")
def tissue() -> Pixels:
    pair = generate_pair(seed=4, size_px=256, mpp=MPP, moving_stain="Ki67")
    return pair.fixed.read(pair.fixed.frame).pixels


def test_tissue_on_itself_fits_nowhere_else(tissue: Pixels) -> None:
    assert measure(tissue, tissue) < 0.6


@pytest.mark.parametrize("side", ["fixed", "moving"])
def test_tissue_that_is_there_twice_fits_in_two_places(tissue: Pixels, side: str) -> None:
    twice = np.concatenate([tissue, tissue], axis=2)
    pair = (twice, tissue) if side == "fixed" else (tissue, twice)
    assert measure(*pair) > TOLERABLE_RIVAL


def test_stripes_fit_one_period_on() -> None:
    wave = 0.5 + 0.4 * np.sin(np.arange(240) * 2 * np.pi / 30)
    depth = np.zeros((160, 240))
    depth[20:140] = wave
    assert measure(stain(depth), stain(depth)) > TOLERABLE_RIVAL


@pytest.mark.parametrize("turn_deg", [0, 35])
def test_an_outline_that_is_its_own_mirror_image_fits_turned(turn_deg: float) -> None:
    y, x = np.mgrid[:200, :260] - np.array([100, 130])[:, None, None]
    cos, sin = np.cos(np.radians(turn_deg)), np.sin(np.radians(turn_deg))
    along, across = cos * x + sin * y, cos * y - sin * x
    inside = np.hypot(along / 90, across / 50) < 1
    # each section has noise of its own: the outline is all that they share
    fixed, moving = (
        stain(inside * (0.6 + np.random.default_rng(seed).normal(0, 0.03, x.shape)))
        for seed in (1, 2)
    )
    assert measure(fixed, moving) > TOLERABLE_RIVAL


def test_a_wrong_placement_is_beaten(tissue: Pixels) -> None:
    sections = read(tissue), read(tissue)
    shift = np.array([[1, 0, 20 * MPP], [0, 1, 0], [0, 0, 1.0]])
    wrong = Affine(shift, sections[0].frame.space, sections[1].frame.space)
    assert measure_rival(*sections, wrong) > 1.5


def test_where_nothing_supports_the_placement_any_other_place_is_better(tissue: Pixels) -> None:
    """As where a placement that was forced puts the tissue beside the other's."""
    sections = read(tissue), read(tissue)
    shift = np.array([[1, 0, 150 * MPP], [0, 1, 0], [0, 0, 1.0]])
    beside = Affine(shift, sections[0].frame.space, sections[1].frame.space)
    assert measure_rival(*sections, beside) == MOST_RIVAL
