from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Space
from stainbridge.phantom.space.cut_line import CutLine, GapTransform

FRAME = Space("slide", 1000, 1000, (2.0, 2.0)).frame


@settings(max_examples=30, deadline=None)
@given(
    angle=st.floats(-4, 4),
    length=st.floats(50, 900),
    width=st.floats(1, 60),
    phase=st.floats(0, 6.28),
)
def test_opening_and_closing_undo_each_other(
    angle: float, length: float, width: float, phase: float
) -> None:
    opens = GapTransform(CutLine((1000.0, 900.0), angle, length, width, phase), FRAME, opens=True)
    points = FRAME.fit(40).centres_um()
    np.testing.assert_allclose(opens.inverse()(opens(points)), points, atol=1e-6)


def test_closing_collapses_the_gap_onto_the_cut() -> None:
    cut = CutLine((1000.0, 1000.0), 0.3, 600.0, 40.0)
    along = np.full(9, 500.0)
    across = np.linspace(-1, 1, 9) * cut.half_width_um(along)
    closed = GapTransform(cut, FRAME, opens=False)(cut.from_line(along, across))
    np.testing.assert_allclose(
        closed, cut.from_line(along[:1], np.zeros(1)).repeat(9, axis=0), atol=1e-9
    )


def test_nothing_moves_behind_the_tip_or_out_of_reach() -> None:
    cut = CutLine((1000.0, 1000.0), 0.0, 500.0, 30.0)
    still = np.array([[900.0, 1000.0], [1400.0, 1000.0 + cut.reach_um + 90], [1400.0, 700.0]])
    np.testing.assert_array_equal(GapTransform(cut, FRAME, opens=True)(still), still)


@pytest.mark.parametrize(("length", "width"), [(0.0, 1.0), (1.0, 0.0), (-1.0, 1.0)])
def test_a_tear_needs_a_length_and_a_width(length: float, width: float) -> None:
    with pytest.raises(InputError):
        CutLine((0.0, 0.0), 0.0, length, width)
