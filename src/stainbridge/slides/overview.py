"""A slide seen small, with its tissue."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self, TypeAlias

import numpy as np
import numpy.typing as npt

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame
from stainbridge.imaging.colour import measure_glass, tissue_density
from stainbridge.imaging.illumination.field import Illumination, find_illumination
from stainbridge.imaging.image import Image
from stainbridge.imaging.tissue import tissue_region
from stainbridge.imaging.unreadable import hide_unreadable, measure_unreadable
from stainbridge.slides.slide import Slide
from stainbridge.types import Mask, Plane

#: Whole pixels of a slide, (x, y).
Bounds: TypeAlias = npt.NDArray[np.int64]

#: Longest side, in pixels, of the pictures that the tissue is looked for in.
LOOK_PX = 512
#: Times that the tissue is looked for at most, each time closer.
MAX_LOOKS = 4
#: Tissue that covers less than this share of a picture's longer side is looked at again, closer.
LEAST_COVER = 0.5
#: Free room around the tissue in a closer look, as a share of its longer side.
LOOK_MARGIN = 0.25
#: Free room around the tissue in its own frame, as a share of its longer side.
BOX_MARGIN = 0.0
#: A side cuts the tissue where tissue lies on at least this share of the tissue's extent along it.
LEAST_CUT_SHARE = 0.05
#: Tissue this near to a side, in pixels, reaches it: the region's border is smooth.
CUT_REACH_PX = 2
#: Pixel centres this close to the border of a mask's pixel count as beyond it.
INDEX_TOLERANCE_PX = 1e-9


@dataclass(frozen=True, eq=False)
class Overview:
    """A slide at low resolution: its picture, how much tissue is where, and where the tissue is.

    `slide_density`, `density` and `region` are computed when first asked for. A slide without
    tissue has an empty `region`: `has_tissue` tells, `require_tissue` raises.
    """

    image: Image
    """The picture, (C, H, W); pixels that are not finite are not valid."""
    where: str
    """The slide's path or name, for messages."""
    mask: Image | None = None
    """(1, h, w), not 0 where tissue may be used; it lies where its frame says. None: everywhere."""

    unreadable: float = 0.0
    """Share of the pixels that were not finite."""
    light: Illumination | None = None
    """How the slide is lit, where a wider picture told; None: as this one shows it."""

    @classmethod
    def of(
        cls,
        image: Image,
        where: str,
        mask: Image | None = None,
        light: Illumination | None = None,
    ) -> Self:
        """Return the overview of a picture, without what is not finite in it."""
        return cls(hide_unreadable(image), where, mask, measure_unreadable(image), light)

    @cached_property
    def illumination(self) -> Illumination:
        """How the slide is lit."""
        return self.light or find_illumination(self.image)

    @cached_property
    def light_around(self) -> Illumination:
        """How the slide is lit, and its glass, for pictures of parts of this one."""
        light = self.illumination
        return light if self.light else replace(light, glass=measure_glass(self.image, light))

    @property
    def frame(self) -> Frame:
        """The frame of the picture and of every plane."""
        return self.image.frame

    @cached_property
    def allowed(self) -> Mask:
        """Where the mask allows tissue, (H, W)."""
        return place_mask(self.mask, self.frame)

    @cached_property
    def slide_density(self) -> Plane:
        """Tissue density of the picture, mask or no mask, (H, W); see `tissue_density`."""
        return tissue_density(self.image, self.illumination)

    @cached_property
    def density(self) -> Plane:
        """Tissue density, (H, W), 0 where the mask does not allow tissue."""
        return self.slide_density if self.mask is None else self.slide_density * self.allowed

    @cached_property
    def region(self) -> Mask:
        """The area that the allowed tissue covers, (H, W); see `tissue_region`."""
        return tissue_region(self.density)

    @property
    def has_tissue(self) -> bool:
        """Whether any tissue is found."""
        return bool(self.region.any())

    def require_tissue(self) -> Self:
        """Return this overview; raise `InputError` when no tissue is found."""
        if not self.has_tissue:
            raise InputError("no tissue found", where=self.where)
        return self


@dataclass(frozen=True)
class CutSides:
    """The sides of a slide's picture that cut through its tissue."""

    left: bool = False
    """Whether tissue runs over the left edge."""
    top: bool = False
    """Whether tissue runs over the upper edge."""
    right: bool = False
    """Whether tissue runs over the right edge."""
    bottom: bool = False
    """Whether tissue runs over the lower edge."""


def read_overview(
    slide: Slide, longest_px: int, mask: Image | None = None, kind: type[Overview] = Overview
) -> Overview:
    """Read a whole slide with its longer side at most `longest_px` pixels.

    `mask` (1, h, w) is not 0 where tissue may be used. Without tissue the region is empty. `kind`
    is how tissue is seen.
    """
    return kind.of(slide.read(slide.frame.fit(longest_px)), slide.info.path, mask)


def read_tissue_overview(
    slide: Slide, longest_px: int, mask: Image | None = None, margin: float = BOX_MARGIN
) -> Overview:
    """Read the frame around a slide's tissue, its longer side at most `longest_px` pixels.

    How much glass lies around the tissue makes no difference. `margin` is the free room on each
    side, as a share of the tissue's longer side. The frame may reach beyond the slide
    on sides that do not cut the tissue; nothing is valid there. `mask` (1, h, w) is not 0 where
    tissue may be used. Without tissue the overview is of the whole slide, and its region empty.
    """
    look = find_tissue(slide, mask, min(longest_px, LOOK_PX))
    if not look.has_tissue:
        return look
    frame = frame_tissue_box(look, slide.frame, margin).fit(longest_px)
    if frame == look.frame:
        return look
    # without the background around it, grey tissue tells no light
    return Overview.of(slide.read(frame), slide.info.path, mask, look.light_around)


def find_tissue(
    slide: Slide,
    mask: Image | None = None,
    longest_px: int = LOOK_PX,
    kind: type[Overview] = Overview,
) -> Overview:
    """Look for a slide's tissue, closer and closer, until it covers most of the picture.

    The longer side of a picture has at most `longest_px` pixels. The last overview lies inside the
    slide. Its region is empty where the whole slide's is. `kind` is how tissue is seen.
    """
    look = read_overview(slide, longest_px, mask, kind)
    light = look.light_around
    for _ in range(MAX_LOOKS - 1):
        if not look.has_tissue or _measure_cover(look.region) >= LEAST_COVER:
            break
        low, high = _find_bounds_px(look.region, look.frame, slide.frame, LOOK_MARGIN)
        size = np.array([slide.frame.width, slide.frame.height])
        frame = _crop(slide.frame, low.clip(0, size), high.clip(0, size)).fit(longest_px)
        if frame == look.frame:
            break
        closer = kind.of(slide.read(frame), slide.info.path, mask, light)
        if not closer.has_tissue:
            break
        look = closer
    return look


def frame_tissue_box(overview: Overview, slide: Frame, margin: float = BOX_MARGIN) -> Frame:
    """Return the full-resolution frame around an overview's tissue, which must be there.

    `margin` is the free room on each side, as a share of the tissue's longer side. It may reach
    beyond `slide`, the slide's own frame, where glass may be supposed. A side that cuts the tissue
    ends the frame: what lies beyond is not known.
    """
    low, high = _find_bounds_px(overview.region, overview.frame, slide, margin)
    cut = find_cut_sides(overview, slide)
    low = np.where([cut.left, cut.top], 0, low)
    high = np.where([cut.right, cut.bottom], [slide.width, slide.height], high)
    return _crop(slide, low, high)


def frame_mask_box(mask: Image, slide: Frame) -> Frame:
    """Return the full-resolution frame around where a mask (1, h, w) is not 0, inside `slide`."""
    low, high = _find_bounds_px(mask.pixels[0] != 0, mask.frame, slide, 0.0)
    size = np.array([slide.width, slide.height])
    return _crop(slide, low.clip(0, size), high.clip(0, size))


def find_cut_sides(overview: Overview, slide: Frame) -> CutSides:
    """Return the sides of `slide`, the slide's own frame, that its tissue runs over."""
    region = overview.region
    corners = slide.to_px(overview.frame.corners_um)
    low, high = corners[0], corners[2]
    size = np.array([slide.width, slide.height])
    at_low = low < 0.5
    at_high = high > size - 0.5
    rows, columns = region.any(axis=1).sum(), region.any(axis=0).sum()
    reach = CUT_REACH_PX

    def is_cut(strip: Mask, axis: int, extent: int, at_edge: bool) -> bool:
        return at_edge and int(strip.any(axis=axis).sum()) > LEAST_CUT_SHARE * extent

    return CutSides(
        left=is_cut(region[:, :reach], 1, rows, bool(at_low[0])),
        top=is_cut(region[:reach], 0, columns, bool(at_low[1])),
        right=is_cut(region[:, -reach:], 1, rows, bool(at_high[0])),
        bottom=is_cut(region[-reach:], 0, columns, bool(at_high[1])),
    )


def overview_of(image: Image, mask: Image | None = None) -> Overview:
    """Return the overview of a picture that is already read."""
    return Overview.of(image, image.frame.label, mask)


def place_mask(mask: Image | None, frame: Frame) -> Mask:
    """Return where a mask (1, h, w) is not 0, on the pixels of `frame`, as (H, W).

    The mask lies where its own frame says, and is 0 around it. Without a mask that is everywhere.
    """
    if mask is None:
        return np.ones((frame.height, frame.width), bool)
    ends = np.array([[0.5, 0.5], [frame.width - 0.5, frame.height - 0.5]])
    low, high = mask.frame.to_px(frame.to_um(ends))
    columns, rows = (
        np.floor(np.linspace(low[axis], high[axis], length) + INDEX_TOLERANCE_PX).astype(int)
        for axis, length in enumerate((frame.width, frame.height))
    )
    in_row = (rows >= 0) & (rows < mask.frame.height)
    in_column = (columns >= 0) & (columns < mask.frame.width)
    placed = np.zeros((frame.height, frame.width), bool)
    inside = mask.pixels[0] != 0
    placed[np.ix_(in_row, in_column)] = inside[np.ix_(rows[in_row], columns[in_column])]
    return placed


def intersect_masks(first: Image | None, second: Image | None) -> Image | None:
    """Return a mask (1, h, w) that is not 0 where both are not; None where there is none.

    It has the frame of the finer one.
    """
    if first is None or second is None:
        return first or second
    finer, other = sorted((first, second), key=lambda mask: min(mask.frame.mpp))
    both = (finer.pixels[0] != 0) & place_mask(other, finer.frame)
    return Image(both[None].astype(np.uint8), finer.frame, finer.valid)


def _find_bounds_px(
    region: Mask, frame: Frame, slide: Frame, margin: float
) -> tuple[Bounds, Bounds]:
    """Return the corners (x, y) of a region's box with a margin, in whole pixels of `slide`."""
    rows, columns = (np.flatnonzero(region.any(axis)) for axis in (1, 0))
    ends = np.array([[columns[0], rows[0]], [columns[-1] + 1, rows[-1] + 1]], float)
    low_um, high_um = frame.to_um(ends)
    room_um = margin * float((high_um - low_um).max())
    low, high = slide.to_px(np.stack([low_um - room_um, high_um + room_um]))
    return np.floor(low).astype(int), np.ceil(high).astype(int)


def _measure_cover(region: Mask) -> float:
    """Return the tissue's extent over the picture's along the axis where it is largest."""
    return max(float(region.any(axis).mean()) for axis in (0, 1))


def _crop(frame: Frame, low: Bounds, high: Bounds) -> Frame:
    width, height = np.maximum(high - low, 1)
    return frame.crop(int(low[0]), int(low[1]), int(width), int(height))
