"""Pieces of tissue on one slide: found, grouped, and read each in a frame of its own."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from stainbridge.geometry.frame import Frame
from stainbridge.geometry.piecewise import PieceRegion, find_inside
from stainbridge.imaging.illumination.field import Illumination
from stainbridge.imaging.image import Image
from stainbridge.registration.pieces.grouping import Labels, group_crumbs
from stainbridge.registration.sections.section import Section, make_section
from stainbridge.slides.overview import Overview
from stainbridge.slides.slide import Slide

#: Free room around a piece in its own frame, as a share of its longer side.
BOX_MARGIN = 0.02
#: How far a piece's region reaches beyond what the overview shows, as a share of the root of its
#: area.
GROWTH = 0.1


@dataclass(frozen=True, eq=False)
class Piece:
    """One piece of tissue, read at a scale of its own."""

    region: PieceRegion
    """Where it lies on its slide."""
    section: Section
    """The piece alone, on a frame around it."""
    mask: Image
    """(1, h, w), not 0 on the piece, on a frame around it."""


def find_regions(section: Section) -> tuple[PieceRegion, ...]:
    """Return the pieces of a slide's tissue, the largest first; crumbs belong to a neighbour."""
    _, labels = cv2.connectedComponents(section.region.astype(np.uint8))
    grouped = _grow(group_crumbs(labels))
    return tuple(PieceRegion(grouped == n, section.frame) for n in range(1, grouped.max() + 1))


def _grow(labels: Labels) -> Labels:
    """Return the labels grown on glass by a share of each piece's size; pieces stay apart.

    At its own scale a piece may show more tissue at its border than the whole slide's overview.
    """
    tissue = labels > 0
    glass = (~tissue).astype(np.uint8)
    distance, nearest = cv2.distanceTransformWithLabels(glass, cv2.DIST_L2, cv2.DIST_MASK_5)
    owners = np.zeros(nearest.max() + 1, labels.dtype)
    owners[nearest[tissue]] = labels[tissue]
    owner = owners[nearest]
    reach_px = GROWTH * np.sqrt(np.bincount(labels.ravel()))
    return np.where(distance <= reach_px[owner], owner, 0).astype(np.int32)


def read_piece(
    slide: Slide, region: PieceRegion, longest_px: int, mask: Image | None, light: Illumination
) -> Piece | None:
    """Read a piece of a slide in a frame around it; None where nothing of it is found there.

    `mask` (1, h, w) is not 0 where tissue may be used, `light` is that of the slide.
    """
    frame = _frame_piece(region, slide.frame).fit(longest_px)
    image = slide.read(frame)
    own = _place_region(region, frame, mask)
    section = make_section(Overview(image, slide.info.path, own, light=light))
    return None if section is None else Piece(region, section, own)


def _frame_piece(region: PieceRegion, slide: Frame) -> Frame:
    """Return the full-resolution frame around a piece with some glass, inside the slide."""
    low, high = region.box_um
    room_um = BOX_MARGIN * float((high - low).max())
    size = (slide.width, slide.height)
    first = np.clip(np.floor(slide.to_px(low - room_um)), 0, size).astype(int)
    last = np.clip(np.ceil(slide.to_px(high + room_um)), first + 1, size).astype(int)
    x, y = first.tolist()
    width, height = (last - first).tolist()
    return slide.crop(x, y, width, height)


def _place_region(region: PieceRegion, frame: Frame, mask: Image | None) -> Image:
    """Return where a piece lies, and the mask allows tissue, on the pixels of `frame`."""
    centres = frame.centres_um()
    allowed = region.contains(centres)
    if mask is not None:
        allowed &= find_inside(mask.pixels[0] != 0, mask.frame, centres)
    pixels = allowed.reshape(1, frame.height, frame.width).astype(np.uint8)
    return Image(pixels, frame, np.ones(pixels.shape[1:], bool))
