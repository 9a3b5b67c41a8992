"""A block of structure for patches: two neighbouring sections of one place, each in a few stains."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame, Space
from stainbridge.phantom.staining.contrast import RANDOM_STAIN, sample_stain
from stainbridge.phantom.staining.dyeing import stain_section
from stainbridge.phantom.staining.laboratory import Laboratory, render_light
from stainbridge.phantom.staining.library import STAINS, find_stain
from stainbridge.phantom.staining.stain import Stain
from stainbridge.phantom.tissue.materials import refine_plane
from stainbridge.phantom.tissue.organs import ORGANS, find_organ
from stainbridge.phantom.tissue.zones import TissueConfig, compute_zone_map
from stainbridge.phantom.tissue.section_raster import SectionRaster, rasterise_section
from stainbridge.types import Mask

Rgb = npt.NDArray[np.uint8]  # (H, W, 3)

#: Pictures of one section drawn for a block.
PICTURES_PER_SECTION = 3
#: The tissue a block is cut from is at least this large, and this many blocks.
_LEAST_TISSUE_UM, _BLOCKS_ACROSS = 3000.0, 1.3


@dataclass(frozen=True)
class BlockConfig:
    """What blocks to draw: pixel sizes in µm, stains ("random" for a contrast of chance), organs,
    and by how much.

    `moving_stains` are the moving section's, where they are others. `distance_um` is the most that
    lies between the two sections, `laboratory` how unlike the laboratories are, `faint` the share
    of immunostains that come out faint. Raises `InputError` for values that make no block.
    """

    mpp: tuple[float, float] = (0.7, 6.0)
    stains: tuple[str, ...] = (*STAINS, *[RANDOM_STAIN] * len(STAINS))
    organs: tuple[str, ...] = tuple(ORGANS)
    distance_um: float = 8.0
    laboratory: float = 1.0
    faint: float = 0.2
    moving_stains: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0 < self.mpp[0] <= self.mpp[1] <= 10:
            raise InputError(
                "pixel sizes must be in order", expected="within 0 to 10 µm", got=self.mpp
            )
        if not self.stains or not self.organs:
            raise InputError("patches need at least one stain and one organ")
        if self.distance_um < 0 or self.laboratory < 0:
            raise InputError("must not be negative", got=(self.distance_um, self.laboratory))
        for name in (*self.stains, *self.moving_stains):
            if name != RANDOM_STAIN:
                find_stain(name)
        for name in self.organs:
            find_organ(name)


@dataclass(frozen=True, eq=False)
class PatchBlock:
    """Names and pictures (H, W, 3) of the fixed and of the moving section, and where both have
    tissue, (H, W).
    """

    fixed: tuple[tuple[str, Rgb], ...]
    moving: tuple[tuple[str, Rgb], ...]
    tissue: Mask
    mpp: float


def draw_block(config: BlockConfig, side_px: int, rng: np.random.Generator) -> PatchBlock:
    """A block of `side_px` a side, somewhere in the tissue of some organ."""
    mpp = float(np.exp(rng.uniform(*np.log(config.mpp))))
    tissue, frame = _place(config, mpp, side_px, rng)
    sections = [
        rasterise_section(tissue, frame, z_um) for z_um in (0.0, float(rng.uniform(0, config.distance_um)))
    ]
    stains = (config.stains, config.moving_stains or config.stains)
    pictures = [
        tuple(_stained(config, names, section, frame, rng) for _ in range(PICTURES_PER_SECTION))
        for names, section in zip(stains, sections, strict=True)
    ]
    inside = [_inside(section, frame) for section in sections]
    return PatchBlock(pictures[0], pictures[1], inside[0] & inside[1], mpp)


def _place(
    config: BlockConfig, mpp: float, side_px: int, rng: np.random.Generator
) -> tuple[TissueConfig, Frame]:
    """Some tissue, and a frame about a point inside it."""
    side_um = max(_LEAST_TISSUE_UM, _BLOCKS_ACROSS * side_px * mpp)
    organ = config.organs[rng.integers(len(config.organs))]
    tissue = TissueConfig(int(rng.integers(2**31)), side_um, side_um, organ=organ)
    grid, zones = compute_zone_map(tissue, 0.0)
    inside = grid.centres_um()[(zones.tissue_depth_um > 0).ravel()]
    corner = inside[rng.integers(len(inside))] - 0.5 * side_px * mpp
    column, row = np.floor(corner / mpp).astype(int).tolist()
    return tissue, Space("tissue", side_px, side_px, (mpp, mpp)).frame.crop(
        column, row, side_px, side_px
    )


def _stained(
    config: BlockConfig,
    stains: tuple[str, ...],
    section: SectionRaster | None,
    frame: Frame,
    rng: np.random.Generator,
) -> tuple[str, Rgb]:
    """The section in one of the stains and by a laboratory of chance: the stain's name and (H, W,
    3).
    """
    name = stains[rng.integers(len(stains))]
    stain = sample_stain(rng) if name == RANDOM_STAIN else find_stain(name)
    laboratory = Laboratory.sample(
        rng, config.laboratory, stain.antibody and bool(rng.uniform() < config.faint)
    )
    return name, _picture(section, frame, stain, laboratory, rng)


def _picture(
    section: SectionRaster | None,
    frame: Frame,
    stain: Stain,
    laboratory: Laboratory,
    rng: np.random.Generator,
) -> Rgb:
    """The section as a camera sees it, (H, W, 3); fluorescence as one channel a dye."""
    shape = (frame.height, frame.width, 3)
    amounts = np.zeros(shape, np.float32) if section is None else stain_section(section, stain)
    light = 255 * render_light(amounts, stain, laboratory)
    light += laboratory.noise * rng.standard_normal(shape, np.float32)
    return np.clip(np.rint(light, out=light), 0, 255, out=light).astype(np.uint8)


def _inside(section: SectionRaster | None, frame: Frame) -> Mask:
    """Where the section has tissue, (H, W)."""
    if section is None:
        return np.zeros((frame.height, frame.width), bool)
    return np.asarray(refine_plane(section.coarse.zones.tissue_depth_um, section.coarse.frame, frame) > 0)
