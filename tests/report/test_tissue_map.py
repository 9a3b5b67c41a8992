from __future__ import annotations

from dataclasses import replace

import pytest
from tests.report.test_write import Page, registration, slide

from stainbridge.registration.pieces.record import PieceRecord
from stainbridge.registration.result import Registration
from stainbridge.registration.verdict.misfit import Misfit
from stainbridge.report.tissue_map import (
    ALONE_COLOUR,
    COLOURS,
    describe_misfit,
    list_pieces,
    outline_misfit,
    outline_pieces,
)
from stainbridge.report.write import report_html
from stainbridge.slides.memory import ArraySlide

PIECES = (
    PieceRecord(
        "fixed 1",
        "fixed",
        "moving 1",
        "ok",
        "it fits",
        0.6,
        predicted_um=2.5,
        box_px=(10, 20, 60, 80),
        partner_box_px=(100, 30, 150, 90),
    ),
    PieceRecord("fixed 2", "fixed", None, "alone", "no piece fits", 0.4, box_px=(90, 20, 180, 80)),
    PieceRecord("moving 2", "moving", None, "alone", "no piece fits", 0.3, box_px=(5, 5, 30, 30)),
)


@pytest.fixture
def pair() -> tuple[ArraySlide, ArraySlide]:
    return slide(0, "he.svs"), slide(1, "ki67.svs", height=160)


@pytest.fixture
def result(pair: tuple[ArraySlide, ArraySlide]) -> Registration:
    misfit = Misfit(0.12, ((20.0, 20.0, 30.0, 30.0), (30.0, 20.0, 40.0, 30.0)))
    return replace(registration(*pair), pieces=PIECES, misfit=misfit)


def test_partners_have_one_colour_and_pieces_alone_are_grey(result: Registration) -> None:
    view = result.fixed.fit(100)
    fixed = outline_pieces(result, "fixed", view)
    moving = outline_pieces(result, "moving", result.moving.fit(100))
    assert [shape.colour for shape in fixed] == [COLOURS[0], ALONE_COLOUR]
    assert [shape.colour for shape in moving] == [COLOURS[0], ALONE_COLOUR]
    assert [shape.label for shape in moving] == ["moving 1", "moving 2"]
    assert fixed[0].path == "M5.0 10.0H30.0V40.0H5.0Z"
    assert [row.colour for row in list_pieces(result)] == [COLOURS[0], ALONE_COLOUR, ALONE_COLOUR]


def test_misfit_is_drawn_and_said(result: Registration) -> None:
    path = outline_misfit(result, result.fixed.fit(100))
    assert path == "M10.0 10.0H15.0V15.0H10.0ZM15.0 10.0H20.0V15.0H15.0Z"
    assert describe_misfit(result) == "12% of the fixed tissue would fit better elsewhere."
    for misfit in (None, Misfit(0.0, ())):
        without = replace(result, misfit=misfit)
        assert outline_misfit(without, result.fixed) == describe_misfit(without) == ""


def test_the_page_shows_pieces_and_misfit(
    result: Registration, pair: tuple[ArraySlide, ArraySlide]
) -> None:
    page = Page(report_html(result, *pair))
    for words in ("Where tissue fits", "without partner", "moving 1", "2.5 µm", "would fit better"):
        assert words in page.text
    plain = Page(report_html(replace(result, pieces=(), misfit=None), *pair))
    assert "Where tissue fits" not in plain.text
