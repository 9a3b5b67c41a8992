"""A generated slide: what its scanner adds to the section."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from stainbridge.geometry.frame import Space
from stainbridge.phantom.glass.artefacts import PenMark
from stainbridge.phantom.glass.slide import PhantomSlide
from stainbridge.phantom.staining.library import STAINS
from stainbridge.phantom.staining.stained_section import StainedSection
from stainbridge.phantom.tissue.config import TissueConfig


def test_a_slide_shows_its_artefacts_and_jpeg_compression() -> None:
    frame = Space("slide", 300, 300, (4.0, 4.0)).frame
    plain = PhantomSlide(StainedSection(TissueConfig(3, 1200, 1200), STAINS["HE"]), frame)
    before = plain.read(frame).pixels.astype(int)

    def measure_change(**fields: object) -> npt.NDArray[np.int_]:
        changed = replace(plain, **fields)  # type: ignore[arg-type]
        return np.asarray(np.abs(changed.read(frame).pixels - before).max(axis=0))

    marked = measure_change(artefacts=(PenMark(((0.1, 0.5), (0.9, 0.5)), 0.05),)) > 8
    assert marked[145:156, 40:260].mean() > 0.9
    assert not marked[:135].any()
    assert not marked[165:].any()
    slight = measure_change(jpeg_quality=95).mean()
    strong = measure_change(jpeg_quality=40).mean()
    assert 0 < slight < strong < 40
