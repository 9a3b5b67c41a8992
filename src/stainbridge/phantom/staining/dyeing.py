"""A structure takes up a stain: dye amounts of materials, nuclei, membranes."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt

from stainbridge.geometry.frame import Frame
from stainbridge.phantom.space.randomness import derive_key, sample_noise
from stainbridge.phantom.staining.nuclei_raster import draw_membranes, draw_nuclei
from stainbridge.phantom.staining.stain import Stain, apply_uptake
from stainbridge.phantom.tissue.materials import Materials
from stainbridge.phantom.tissue.nuclei import NUCLEUS_CLASSES, Nuclei
from stainbridge.phantom.tissue.section_raster import SectionRaster
from stainbridge.types import Plane

DyeAmounts = npt.NDArray[np.float32]  # (H, W, 3): dyes of the stain

_SHOWS_THROUGH = 0.3  # how much of the dye around a nucleus is seen within it
#: Stains take unevenly over about this length.
_PATCH_UM = 220.0


def stain_section(structure: SectionRaster, stain: Stain) -> DyeAmounts:
    """Dye amounts (H, W, 3) on the structure's frame; 0 is bare glass."""
    amounts = apply_uptake(stain, structure.shares)
    # Sections are not cut evenly: thicker tissue holds more of every dye.
    amounts *= 1 + 0.06 * structure.texture("thickness", 160)[..., None]
    if structure.cells is None:
        around_px = 1.5 * structure.frame.mpp[0]
        crowding = 1 + 0.45 * structure.texture("crowding", max(7.0, around_px))
        amounts = _with_mean_nuclei(amounts, structure, stain, crowding)
    else:
        _add_nuclei(amounts, structure.cells, structure, stain)
        _add_membranes(amounts, structure.cells, structure, stain)
    if stain.patchy:
        amounts[..., 2] *= _patches(structure, stain)
    return np.asarray(np.maximum(amounts, 0))


def _add_nuclei(amounts: DyeAmounts, cells: Nuclei, structure: SectionRaster, stain: Stain) -> None:
    """Nuclei hide what lies around them and take the first dye, or the marker where positive."""
    chromatin = draw_nuclei(cells, structure.frame)
    if structure.frame.mpp[0] < 0.8:
        chromatin *= (
            1 + 0.09 * structure.texture("chromatin", 0.8) + 0.12 * structure.texture("clumps", 1.7)
        )
    cover = np.clip(chromatin * 2.2, 0, 1)[..., None]
    amounts *= 1 - (1 - _SHOWS_THROUGH) * cover
    amounts[..., 0] += stain.nuclei * chromatin
    chance = np.array([stain.positive.get(c.name, 0.0) for c in NUCLEUS_CLASSES])[cells.kind]
    positive = cells.lot < chance
    if not positive.any():
        return
    # Positive nuclei differ in strength; `lot` is uniform below the chance.
    strength = 1 - stain.weak * cells.lot / np.maximum(chance, 1e-6)
    brown = draw_nuclei(_denser(cells, strength), structure.frame, positive)
    amounts[..., 0] -= (stain.nuclei - stain.positive_nuclei[0]) * np.minimum(brown, chromatin)
    amounts[..., 1] += stain.positive_nuclei[1] * brown
    amounts[..., 2] += stain.positive_nuclei[2] * brown


def _denser(cells: Nuclei, strength: npt.NDArray[np.floating]) -> Nuclei:
    return replace(cells, density=np.asarray(cells.density * strength, np.float32))


def _add_membranes(amounts: DyeAmounts, cells: Nuclei, structure: SectionRaster, stain: Stain) -> None:
    """The third dye on the membranes of the cells of the stain's classes."""
    names = [c.name for c in NUCLEUS_CLASSES]
    for name, amount in stain.membranes.items():
        which = cells.kind == names.index(name)
        if which.any():
            inside = np.minimum(1.4 * _cytoplasm(structure.shares, name), 1)
            amounts[..., 2] += (
                np.float32(amount) * inside * draw_membranes(cells, structure.frame, which)
            )


def _cytoplasm(shares: Materials, cell: str) -> Plane:
    """The material the bodies of cells of a class are made of."""
    return shares.tumour if cell == "tumour" else shares.epithelium + shares.apical


def _patches(structure: SectionRaster, stain: Stain) -> Plane:
    """How well the third dye takes, (H, W), in neighbouring sections alike."""
    waves = sample_noise(
        structure.frame,
        _PATCH_UM,
        derive_key(structure.tissue.seed, "patches", stain.name),
        structure.z_um,
    )
    return np.asarray(np.maximum(1 + np.float32(stain.patchy) * waves, 0.1), np.float32)


#: A material, the share of its area that nuclei take, their mean chromatin, and their class;
#: measured at 0.5 µm.
_NUCLEAR = (
    ("stroma", 0.095, 0.62, "spindle"),
    ("muscle", 0.084, 0.54, "muscle"),
    ("epithelium", 0.62, 0.58, "epithelium"),
    ("tumour", 0.63, 0.62, "tumour"),
    ("apical", 0.40, 0.59, "epithelium"),
    ("basement", 0.25, 0.60, "epithelium"),
    ("wall", 0.19, 0.56, "spindle"),
    ("endothelium", 0.24, 0.64, "endothelium"),
    ("blood", 0.06, 0.57, "endothelium"),
    ("fat_membrane", 0.05, 0.65, "fat"),
    ("lymphoid", 0.66, 0.74, "lymphocyte"),
)
#: The share of the stroma's area that lymphocytes take where all its places are theirs.
_LYMPHOCYTES = 0.75
#: The share of a cell's area that its membrane takes as it is drawn.
_MEMBRANE_SHARE = 0.26


def _with_mean_nuclei(
    amounts: DyeAmounts, structure: SectionRaster, stain: Stain, crowding: Plane
) -> DyeAmounts:
    """Dyes when nuclei are too small to be seen: light averaged between nuclei and what lies around
    them.

    `crowding`, (H, W), is how much denser than usual they lie.
    """
    shares = structure.shares
    for name, amount in stain.membranes.items():
        amounts[..., 2] += np.float32(amount * _MEMBRANE_SHARE) * _cytoplasm(shares, name)
    cover = np.zeros(amounts.shape[:2], np.float32)
    light = np.zeros_like(amounts)
    inside = np.exp(-_SHOWS_THROUGH * amounts)
    lymphocytes = _LYMPHOCYTES * structure.tissue.parts.lymphocytes
    for name, share, chromatin, kind in (*_NUCLEAR, ("stroma", lymphocytes, 0.74, "lymphocyte")):
        part = np.clip(getattr(shares, name), 0, 1) * (np.float32(share) * crowding)
        positive = stain.positive.get(kind, 0.0)
        negative_light = np.exp(-np.array([stain.nuclei * chromatin, 0, 0], np.float32))
        marker = np.array(stain.positive_nuclei, np.float32) * np.float32(
            chromatin * (1 - stain.weak / 2)
        )
        light += part[..., None] * (
            negative_light + np.float32(positive) * (np.exp(-marker) - negative_light)
        )
        cover += part
    return np.asarray(
        -np.log(light * inside + (1 - np.minimum(cover, 1))[..., None] * np.exp(-amounts)),
        np.float32,
    )


def average_dyes(amounts: DyeAmounts, frame: Frame) -> DyeAmounts:
    """Dye amounts on a multiple of `frame`'s pixels, averaged to `frame`.

    Light is averaged, not dye: a coarse pixel that is half nucleus, half glass is brighter than its
    mean dye.
    """
    light = cv2.resize(np.exp(-amounts), (frame.width, frame.height), interpolation=cv2.INTER_AREA)
    return np.asarray(-np.log(light))
