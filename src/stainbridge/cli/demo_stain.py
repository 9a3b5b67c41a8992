"""The demo's virtual stain: a detail of generated tissue in H&E, as it was translated, and as it
was generated.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from stainbridge.learn.shipped import weights_path
from stainbridge.phantom.staining.library import STAINS
from stainbridge.report.pictures import Picture, density, viewable
from stainbridge.translation.inference.apply import ApplyConfig, translated
from stainbridge.translation.inference.model import read_model

if TYPE_CHECKING:
    from stainbridge.geometry.frame import Frame
    from stainbridge.phantom.glass.slide import PhantomSlide

MODEL = "he-panck"
DETAIL_PX, TILE_PX = 560, 640
OVERVIEW_PX = 256


def virtual_stain(slide: PhantomSlide) -> list[Picture]:
    """A detail of `slide`, translated, and the same section generated in the stain it was
    translated to.
    """
    model = read_model(weights_path(MODEL))
    assert model.mpp is not None
    # Generated slides can be seen at any pixel size, so at the model's own.
    fine = replace(slide, frame=slide.frame.at_mpp(model.mpp))
    same = replace(fine, section=replace(fine.section, stain=STAINS[model.target]))
    where = _most_stained(same)
    made = translated(
        fine, model, ApplyConfig(TILE_PX, device="cpu"), told=lambda _: None
    )  # the pixel size fits
    return [viewable(each.read(where)) for each in (fine, made, same)]


def _most_stained(slide: PhantomSlide) -> Frame:
    """The square of `DETAIL_PX` with the most dye."""
    overview = slide.frame.fit(OVERVIEW_PX)
    dye = density(slide.read(overview))
    side = min(DETAIL_PX, slide.frame.width, slide.frame.height)
    coarse = max(1, round(side * overview.width / slide.frame.width))
    sums = np.pad(dye, ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    held = (
        sums[coarse:, coarse:]
        - sums[:-coarse, coarse:]
        - sums[coarse:, :-coarse]
        + sums[:-coarse, :-coarse]
    )
    row, column = np.unravel_index(int(held.argmax()), held.shape)
    scale = slide.frame.width / overview.width
    left, top = (
        min(round(column * scale), slide.frame.width - side),
        min(round(row * scale), slide.frame.height - side),
    )
    return slide.frame.crop(left, top, side, side)
