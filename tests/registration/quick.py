"""A registration that takes a second, and slides that are drawn once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from stainbridge.phantom.pairs.pair import PhantomPair, generate_pair
from stainbridge.registration.config import AffineConfig, DeformableConfig, RegisterConfig
from stainbridge.slides.memory import ArraySlide
from stainbridge.slides.slide import Slide

#: Few sizes, few steps, small pictures; enough for generated tissue in one piece.
QUICK = (
    RegisterConfig.preset("fast")
    .with_stage(AffineConfig(sizes_px=(64, 128), steps=(20, 15), survivors=(4, 1), varied=1))
    .with_stage(DeformableConfig(sizes_px=(128,), steps=(15,), symmetric=False))
    .with_options(working_px=256, pieces=False)
)


def draw_small_pair() -> PhantomPair:
    """Draw a turned, mirrored pair of 320 px in two stains."""
    pair = generate_pair(
        seed=3, size_px=320, mpp=14.0, moving_stain="Ki67", rotation_deg=140.0, flip=True
    )
    return render_pair(pair)


def render_pair(pair: PhantomPair) -> PhantomPair:
    """Return the pair with its slides in memory: generated ones are drawn at every read."""
    fixed, moving = (render_slide(slide) for slide in (pair.fixed, pair.moving))
    return replace(pair, fixed=fixed, moving=moving)  # type: ignore[arg-type]


def render_slide(slide: Slide) -> ArraySlide:
    """Return the slide's full resolution as a slide in memory."""
    pixels = np.ascontiguousarray(slide.read(slide.frame).pixels)
    return ArraySlide(pixels, name=slide.frame.label, stain=slide.stain, space=slide.frame.space)


def draw_faint_pair() -> PhantomPair:
    """Draw H&E and a marker of few nests, with next to nothing of its counterstain around them."""
    pair = generate_pair(seed=0, size_px=320, mpp=8.0, moving_stain="PanCK", difficulty="faint")
    return render_pair(pair)
