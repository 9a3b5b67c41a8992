"""A detail of generated tissue in H&E, as a network translates it and as it was generated."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from stainbridge.imaging.pictures import Picture, display_density, render_rgb
from stainbridge.learn.named_weights import find_weights
from stainbridge.phantom.staining.library import STAINS
from stainbridge.progress import ignore_note
from stainbridge.translation.inference.apply import ApplyConfig, translate_slide
from stainbridge.translation.inference.model import read_model

if TYPE_CHECKING:
    from stainbridge.geometry.frame import Frame
    from stainbridge.phantom.glass.slide import PhantomSlide

#: Weights that come with stainbridge.
MODEL = "he-panck"
#: Side of the detail, in pixels at the model's pixel size.
DETAIL_PX = 560
#: Side of the network's tiles, in pixels: the detail in one piece.
TILE_PX = 640
#: Longest side at which the detail is chosen, in pixels.
OVERVIEW_PX = 256


def draw_virtual_stain(slide: PhantomSlide) -> list[Picture]:
    """Draw a detail of `slide`, its translation, and the same section generated in that stain."""
    model = read_model(find_weights(MODEL))
    assert model.mpp is not None
    # Generated slides can be seen at any pixel size, so at the model's own: no warning is due.
    source = replace(slide, frame=slide.frame.at_mpp(model.mpp))
    target = replace(source, section=replace(source.section, stain=STAINS[model.target]))
    detail = _most_stained_square(target)
    config = ApplyConfig(TILE_PX, device="cpu")
    translation = translate_slide(source, model, config, ignore_note)
    return [render_rgb(view.read(detail)) for view in (source, translation, target)]


def _most_stained_square(slide: PhantomSlide) -> Frame:
    """Return the square of `DETAIL_PX` with the most dye."""
    overview = slide.frame.fit(OVERVIEW_PX)
    dye = display_density(slide.read(overview))
    side = min(DETAIL_PX, slide.frame.width, slide.frame.height)
    window = max(1, round(side * overview.width / slide.frame.width))
    sums = np.pad(dye, ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    dye_in_window = (
        sums[window:, window:]
        - sums[:-window, window:]
        - sums[window:, :-window]
        + sums[:-window, :-window]
    )
    row, column = np.unravel_index(int(dye_in_window.argmax()), dye_in_window.shape)
    scale = slide.frame.width / overview.width
    left = min(round(column * scale), slide.frame.width - side)
    top = min(round(row * scale), slide.frame.height - side)
    return slide.frame.crop(left, top, side, side)
