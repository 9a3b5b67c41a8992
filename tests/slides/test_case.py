"""Case: a pair of slides, opened when wanted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.conftest import Sample

from stainbridge.errors import InputError
from stainbridge.slides import ArraySlide, Case


def test_files_are_opened_only_when_wanted(samples: dict[str, Sample]) -> None:
    case = Case.from_files(
        "a", samples["png"].path, Path("missing.png"), fixed_mask=samples["jpeg"].path
    )
    with case.open_fixed() as fixed:
        assert fixed.info.format == "PNG"
    assert case.open_fixed_mask is not None
    assert case.open_moving_mask is None
    with pytest.raises(InputError, match="no such file"):
        case.open_moving()


def test_slides_in_memory_make_a_case() -> None:
    slide = ArraySlide(np.zeros((3, 5, 5), np.uint8))
    case = Case("a", lambda: slide, lambda: slide, (np.zeros((4, 2)), np.ones((4, 2))))
    assert case.open_fixed() is slide


def test_landmarks_that_do_not_correspond_are_refused() -> None:
    slide = ArraySlide(np.zeros((3, 5, 5), np.uint8))
    with pytest.raises(InputError, match="do not correspond"):
        Case("a", lambda: slide, lambda: slide, (np.zeros((4, 2)), np.ones((5, 2))))
