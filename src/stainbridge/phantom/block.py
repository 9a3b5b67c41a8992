"""Draw a block of pictures that patches are cut from: two neighbouring sections of one place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import numpy.typing as npt

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame, Space
from stainbridge.phantom.staining.contrast import RANDOM_STAIN, sample_stain
from stainbridge.phantom.staining.dyeing import stain_section
from stainbridge.phantom.staining.laboratory import Laboratory, render_light
from stainbridge.phantom.staining.library import STAINS, find_stain
from stainbridge.phantom.staining.stain import Stain
from stainbridge.phantom.tissue.config import TissueConfig
from stainbridge.phantom.tissue.materials import refine_plane
from stainbridge.phantom.tissue.organs import ORGANS, find_organ
from stainbridge.phantom.tissue.section_raster import SectionRaster, rasterise_section
from stainbridge.phantom.tissue.zones import TissuePlane
from stainbridge.ranges import Share, Within, check_ranges
from stainbridge.types import Mask

Rgb = npt.NDArray[np.uint8]  # (H, W, 3)

#: Pictures of each section in a block.
PICTURES_PER_SECTION = 3
#: The tissue that a block lies in has at least this side in µm.
_MIN_TISSUE_UM = 3000.0
#: The tissue that a block lies in is at least this many blocks wide.
_TISSUE_BLOCKS = 1.3


@dataclass(frozen=True)
class BlockConfig:
    """What blocks to draw.

    Raises `InputError` for values that make no block.
    """

    mpp: Annotated[tuple[float, float], Within(0, 10, above=True, rising=True)] = (0.7, 6.0)
    """Range of the pixel sizes in µm."""
    stains: tuple[str, ...] = (*STAINS, *[RANDOM_STAIN] * len(STAINS))
    """Stains of both sections; "random" stands for random colours."""
    organs: tuple[str, ...] = tuple(ORGANS)
    """Organs of the tissue."""
    distance_um: Annotated[float, Within(0, 1000)] = 8.0
    """Largest distance between the two sections."""
    laboratory_variation: Annotated[float, Within(0, 10)] = 1.0
    """How much laboratories differ; 1 is what is seen between institutes."""
    faint_share: Share = 0.2
    """The share of immunostains that come out faint."""
    moving_stains: tuple[str, ...] = ()
    """Stains of the moving section, where they are others than `stains`."""

    def __post_init__(self) -> None:
        check_ranges(self)
        if not self.stains or not self.organs:
            raise InputError("patches need at least one stain and one organ")
        for name in (*self.stains, *self.moving_stains):
            if name != RANDOM_STAIN:
                find_stain(name)
        for name in self.organs:
            find_organ(name)


@dataclass(frozen=True, eq=False)
class PatchBlock:
    """Two neighbouring sections of one place, each in a few stains."""

    fixed: tuple[tuple[str, Rgb], ...]
    """Stain names and pictures, (H, W, 3), of the fixed section."""
    moving: tuple[tuple[str, Rgb], ...]
    """Stain names and pictures, (H, W, 3), of the moving section."""
    tissue: Mask
    """Where both sections have tissue, (H, W)."""
    mpp: float
    """Pixel size in µm."""


def draw_block(config: BlockConfig, side_px: int, rng: np.random.Generator) -> PatchBlock:
    """Return a block of `side_px` a side, somewhere in the tissue of some organ."""
    mpp = float(np.exp(rng.uniform(*np.log(config.mpp))))
    plane, frame = _choose_place(config, mpp, side_px, rng)
    distance_um = float(rng.uniform(0, config.distance_um))
    fixed = rasterise_section(plane, frame)
    moving = rasterise_section(TissuePlane(plane.config, distance_um), frame)
    fixed_pictures = _draw_pictures(config, config.stains, fixed, frame, rng)
    moving_stains = config.moving_stains or config.stains
    moving_pictures = _draw_pictures(config, moving_stains, moving, frame, rng)
    inside = _find_tissue(fixed, frame) & _find_tissue(moving, frame)
    return PatchBlock(fixed_pictures, moving_pictures, inside, mpp)


def _choose_place(
    config: BlockConfig, mpp: float, side_px: int, rng: np.random.Generator
) -> tuple[TissuePlane, Frame]:
    """Return the reference plane of some tissue, and a frame around a point inside it."""
    side_um = max(_MIN_TISSUE_UM, _TISSUE_BLOCKS * side_px * mpp)
    organ = config.organs[rng.integers(len(config.organs))]
    tissue = TissueConfig(int(rng.integers(2**31)), side_um, side_um, organ=organ)
    plane = TissuePlane(tissue, 0.0)
    grid, zones = plane.zone_map
    inside = grid.centres_um()[(zones.tissue_depth_um > 0).ravel()]
    corner = inside[rng.integers(len(inside))] - 0.5 * side_px * mpp
    column, row = np.floor(corner / mpp).astype(int).tolist()
    grid_at_origin = Space("tissue", side_px, side_px, (mpp, mpp)).frame
    return plane, grid_at_origin.crop(column, row, side_px, side_px)


def _draw_pictures(
    config: BlockConfig,
    stains: tuple[str, ...],
    section: SectionRaster | None,
    frame: Frame,
    rng: np.random.Generator,
) -> tuple[tuple[str, Rgb], ...]:
    """Return pictures of one section with the names of their stains."""
    return tuple(
        _draw_picture(config, stains, section, frame, rng) for _ in range(PICTURES_PER_SECTION)
    )


def _draw_picture(
    config: BlockConfig,
    stains: tuple[str, ...],
    section: SectionRaster | None,
    frame: Frame,
    rng: np.random.Generator,
) -> tuple[str, Rgb]:
    """Return the section in one of the stains and by a random laboratory: stain name, (H, W, 3)."""
    name = stains[rng.integers(len(stains))]
    stain = sample_stain(rng) if name == RANDOM_STAIN else find_stain(name)
    faint = stain.is_immunostain and bool(rng.uniform() < config.faint_share)
    laboratory = Laboratory.sample(rng, config.laboratory_variation, faint)
    return name, _photograph(section, frame, stain, laboratory, rng)


def _photograph(
    section: SectionRaster | None,
    frame: Frame,
    stain: Stain,
    laboratory: Laboratory,
    rng: np.random.Generator,
) -> Rgb:
    """Return the section as a camera sees it, (H, W, 3); fluorescence as one channel a dye."""
    shape = (frame.height, frame.width, 3)
    amounts = np.zeros(shape, np.float32) if section is None else stain_section(section, stain)
    light = 255 * render_light(amounts, stain, laboratory)
    light += laboratory.noise * rng.standard_normal(shape, np.float32)
    return np.clip(np.rint(light, out=light), 0, 255, out=light).astype(np.uint8)


def _find_tissue(section: SectionRaster | None, frame: Frame) -> Mask:
    """Return where the section has tissue, (H, W)."""
    if section is None:
        return np.zeros((frame.height, frame.width), bool)
    depth = section.anatomy.zones.tissue_depth_um
    return np.asarray(refine_plane(depth, section.anatomy.frame, frame) > 0)
