"""Pen marks, dust, scale bars, black borders and uneven light."""

from __future__ import annotations

import numpy as np
import pytest

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Space
from stainbridge.phantom.glass.artefacts import (
    Artefact,
    BlackBorder,
    Dust,
    PenMark,
    ScaleBar,
    UnevenLight,
)

SLIDE = Space("slide", 400, 500, (4.0, 4.0)).frame
PEN = PenMark(((0.1, 0.2), (0.3, 0.5), (0.6, 0.4)))
ARTEFACTS = [PEN, Dust(), ScaleBar(), BlackBorder(), UnevenLight()]


@pytest.mark.parametrize("artefact", ARTEFACTS, ids=lambda a: type(a).__name__)
def test_an_artefact_is_where_it_is_however_it_is_read(artefact: Artefact) -> None:
    whole = np.ones((400, 500, 3), np.float32)
    artefact.apply(whole, SLIDE, SLIDE)
    tile = np.ones((150, 210, 3), np.float32)
    artefact.apply(tile, SLIDE.crop(20, 230, 210, 150), SLIDE)
    assert whole.min() < 0.97
    np.testing.assert_allclose(tile, whole[230:380, 20:230], atol=2e-3)


@pytest.mark.parametrize(
    "make",
    [
        lambda: PenMark(((0.1, 0.1),)),
        lambda: ScaleBar(0),
        lambda: BlackBorder((0.6, 0, 0, 0)),
    ],
)
def test_impossible_artefacts_are_refused(make: object) -> None:
    with pytest.raises(InputError):
        make()  # type: ignore[operator]
