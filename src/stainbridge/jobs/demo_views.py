"""Pictures of a registration side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from stainbridge.imaging.pictures import Picture, checkerboard, display_density, render_rgb

if TYPE_CHECKING:
    from stainbridge.geometry.frame import Frame
    from stainbridge.registration.result import Registration
    from stainbridge.slides.slide import Slide

#: Longest side of a view, in pixels: three of them fit beside each other on a page.
VIEW_PX = 640
#: White between two views, in pixels.
GAP_PX = 12
#: Fields of the checkerboard across a view.
FIELDS_ACROSS = 6
#: What is at least this share as dark as the strongest stain is tissue.
STAINED_SHARE = 0.25
#: White around the tissue, in pixels of the overview.
MARGIN_PX = VIEW_PX // 40


def draw_three_views(registration: Registration, fixed: Slide, moving: Slide) -> Picture:
    """Draw the fixed slide, the moving slide, and both aligned in a checkerboard: (H, W, 3) RGB.

    Each view is cut to the tissue.
    """
    on_fixed = frame_of_tissue(fixed)
    fixed_view = render_rgb(fixed.read(on_fixed))
    moving_view = render_rgb(moving.read(frame_of_tissue(moving)))
    warped_view = render_rgb(registration.warp_slide(moving).read(on_fixed))
    both = checkerboard(fixed_view, warped_view, across=FIELDS_ACROSS)
    return join_side_by_side([fixed_view, moving_view, both])


def join_side_by_side(views: Sequence[Picture]) -> Picture:
    """Join pictures in a row, each in the middle of the tallest one's height, on white."""
    height = max(map(len, views))
    padded = [_pad_view(view, height) for view in views]
    return np.concatenate(padded, axis=1)[:, :-GAP_PX]


def _pad_view(view: Picture, height: int) -> Picture:
    """Put a view in the middle of `height` rows, with a gap on its right, on white."""
    above = (height - len(view)) // 2
    below = height - len(view) - above
    return np.pad(view, ((above, below), (0, GAP_PX), (0, 0)), constant_values=255)


def frame_of_tissue(slide: Slide) -> Frame:
    """Return the box around what is stained, with a small margin, at `VIEW_PX` pixels at most."""
    overview = slide.frame.fit(VIEW_PX)
    is_stained = display_density(slide.read(overview)) > STAINED_SHARE
    rows = np.flatnonzero(is_stained.any(axis=1))
    columns = np.flatnonzero(is_stained.any(axis=0))
    top = int(rows[0]) - MARGIN_PX
    left = int(columns[0]) - MARGIN_PX
    bottom = int(rows[-1]) + MARGIN_PX
    right = int(columns[-1]) + MARGIN_PX
    box = overview.crop(left, top, right - left, bottom - top)
    return box.at_mpp(max(box.size_um) / VIEW_PX)
