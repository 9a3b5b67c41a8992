from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from stainbridge.geometry.frame import Frame, Space
from stainbridge.geometry.transform import Affine
from stainbridge.registration.result import Registration
from stainbridge.registration.stages.record import StageRecord
from stainbridge.report.words import (
    describe_status,
    format_length,
    format_percent,
    format_pixel_size,
    headline_facts,
    slide_facts,
    stage_row,
)
from stainbridge.slides.memory import ArraySlide

FRAME = Space("slide", 3000, 4000, (0.5, 0.5)).frame
PIXELS = Space("slide", 3000, 4000, calibrated=False).frame


def registration(**changes: Any) -> Registration:
    complete = Registration(
        fixed=FRAME,
        moving=FRAME,
        status="ok",
        reason="",
        stages=(),
        seconds=1.0,
        predicted_rtre=0.01,
        seed=0,
        config={},
        solution=Affine(np.eye(3), FRAME.space, FRAME.space),
    )
    return replace(complete, **changes)


def test_a_good_result_says_its_expected_error_in_all_units() -> None:
    text = describe_status(registration())
    assert (text.tone, text.title) == ("ok", "Aligned")
    assert "25 µm" in text.sentence
    assert "1.00 % of the fixed slide's diagonal" in text.sentence
    assert "width of about 2 cells" in text.sentence


def test_an_uncalibrated_slide_speaks_of_pixels_and_not_of_cells() -> None:
    text = describe_status(registration(fixed=PIXELS)).sentence
    assert "50 px" in text
    assert "cell" not in text
    assert "µm" not in text


def test_an_error_below_a_cell_is_said_so() -> None:
    assert (
        "less than the width of a cell"
        in describe_status(registration(predicted_rtre=0.003)).sentence
    )


def test_an_error_that_is_not_known_is_not_invented() -> None:
    text = describe_status(registration(predicted_rtre=math.nan)).sentence
    assert "could not be predicted" in text
    assert "nan" not in text


def test_the_reason_is_told() -> None:
    fallback = describe_status(
        registration(status="fallback", reason="the deformable stage made folds")
    )
    assert fallback.tone == "fallback"
    assert fallback.sentence.endswith(" The deformable stage made folds.")
    failed = describe_status(registration(status="failed", reason="blank slide.", solution=None))
    assert (failed.title, failed.sentence) == ("Not aligned", "There is no transform. Blank slide.")


def test_the_headline_names_flip_rotation_scale_and_folds() -> None:
    mirrored = Affine(np.array([[0.0, -2, 5], [-2, 0, 6], [0, 0, 1]]), FRAME.space, FRAME.space)
    facts = {f.name: f for f in headline_facts(registration(), mirrored, 0.02)}
    assert facts["Flipped"].value == "yes"
    assert abs(float(facts["Rotation"].value.rstrip("°"))) == pytest.approx(90)
    assert facts["Scale"].value == "× 2.000"
    assert facts["Folds"].value == "2.00 %"
    assert facts["Largest bend"].value.startswith("0 ") or "e-" in facts["Largest bend"].value
    assert {f.name: f for f in headline_facts(registration(), mirrored, 0.0)}[
        "Folds"
    ].value == "none"
    unknown = headline_facts(registration(predicted_rtre=math.nan), mirrored, 0.0)[0]
    assert (unknown.value, unknown.note) == ("unknown", "")


def test_the_bound_is_said_where_there_is_one() -> None:
    assert "nine stay below 22 µm" in describe_status(registration(bound_rtre=0.009)).sentence
    assert "nine" not in describe_status(registration()).sentence


def test_slide_facts_hide_no_doubt_about_the_pixel_size() -> None:
    pixels = np.zeros((3, 30, 40), np.uint8)
    facts = {f.name: f for f in slide_facts(ArraySlide(pixels, mpp=0.25, name="he", stain="HE"))}
    assert (facts["Pixel size"].value, facts["Stain"].value, facts["File"].value) == (
        "0.25 µm",
        "HE",
        "he",
    )
    assert facts["Size"].note == "0.01 × 0.01 mm"
    assert {f.name: f for f in slide_facts(ArraySlide(pixels))}["Pixel size"].value == "not known"


def test_a_stage_without_a_score_has_a_dash() -> None:
    row = stage_row(StageRecord("affine", False, 0.123, 0.5, math.nan, "diverged"))
    assert (row.result, row.seconds, row.before, row.after, row.note) == (
        "not kept",
        "0.12",
        "0.5000",
        "–",
        "diverged",
    )


@pytest.mark.parametrize(
    ("length_um", "frame", "said"),
    [
        (12.345, FRAME, "12 µm"),
        (1234, FRAME, "1.2 mm"),
        (0.456, PIXELS, "0.46 px"),
        (1234, PIXELS, "1200 px"),
    ],
)
def test_lengths_have_two_digits_and_the_slides_unit(
    length_um: float, frame: Frame, said: str
) -> None:
    assert format_length(length_um, frame) == said


def test_small_shares_are_not_rounded_to_nothing() -> None:
    assert format_percent(0.0031) == "0.31 %"
    assert format_percent(3e-6) == "0.0003 %"


def test_pixels_that_are_not_square_give_both_sides() -> None:
    assert format_pixel_size(replace(FRAME, mpp=(0.5, 0.25))) == "0.5 × 0.25 µm"
