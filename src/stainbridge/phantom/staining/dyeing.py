"""Stain a section: dye amounts of materials, nuclei and membranes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from stainbridge.geometry.frame import Frame
from stainbridge.phantom.space.randomness import derive_key, sample_noise
from stainbridge.phantom.staining.nuclei_raster import draw_membranes, draw_nuclei
from stainbridge.phantom.staining.stain import DyeAmounts, Stain, apply_uptake
from stainbridge.phantom.tissue.materials import Materials
from stainbridge.phantom.tissue.nuclei import NUCLEUS_CLASSES, Nuclei
from stainbridge.phantom.tissue.section_raster import SectionRaster
from stainbridge.types import Plane

#: The share of the dye around a nucleus that is seen within it.
_SEEN_THROUGH_NUCLEUS = 0.3
#: Stains take unevenly over about this length in µm.
_PATCH_UM = 220.0


def stain_section(section: SectionRaster, stain: Stain) -> DyeAmounts:
    """Return dye amounts, (H, W, 3), on the section's frame; 0 is bare glass."""
    amounts = apply_uptake(stain, section.materials)
    # Sections are not cut evenly: thicker tissue holds more of every dye.
    amounts *= 1 + 0.06 * section.sample_texture("thickness", 160)[..., None]
    if section.nuclei is None:
        scale_um = max(7.0, 1.5 * section.frame.mpp[0])
        crowding = 1 + 0.45 * section.sample_texture("crowding", scale_um)
        amounts = _add_mean_nuclei(amounts, section, stain, crowding)
    else:
        _add_nuclei(amounts, section.nuclei, section, stain)
        _add_membranes(amounts, section.nuclei, section, stain)
    if stain.patchiness:
        amounts[..., 2] *= _sample_patches(section, stain)
    return np.asarray(np.maximum(amounts, 0))


def _add_nuclei(amounts: DyeAmounts, nuclei: Nuclei, section: SectionRaster, stain: Stain) -> None:
    """Add nuclei in place: they hide what lies around them and take up dyes."""
    chromatin = draw_nuclei(nuclei, section.frame)
    if section.frame.mpp[0] < 0.8:
        fine = 0.09 * section.sample_texture("chromatin", 0.8)
        chromatin *= 1 + fine + 0.12 * section.sample_texture("clumps", 1.7)
    cover = np.clip(chromatin * 2.2, 0, 1)[..., None]
    amounts *= 1 - (1 - _SEEN_THROUGH_NUCLEUS) * cover
    amounts[..., 0] += stain.nuclear_uptake * chromatin
    _add_positive_nuclei(amounts, nuclei, section, stain, chromatin)


def _add_positive_nuclei(
    amounts: DyeAmounts, nuclei: Nuclei, section: SectionRaster, stain: Stain, chromatin: Plane
) -> None:
    """Add the marker of positive nuclei in place; it replaces the counterstain there."""
    shares = np.array([stain.positive_shares.get(c.name, 0.0) for c in NUCLEUS_CLASSES])
    positive_share = shares[nuclei.class_index]
    positive = nuclei.positivity < positive_share
    if not positive.any():
        return
    # Positive nuclei differ in strength; `positivity` is uniform below the positive share.
    strength = 1 - stain.weakness * nuclei.positivity / np.maximum(positive_share, 1e-6)
    density = np.asarray(nuclei.density * strength, np.float32)
    marker = draw_nuclei(replace(nuclei, density=density), section.frame, positive)
    excess = stain.nuclear_uptake - stain.positive_uptake[0]
    amounts[..., 0] -= excess * np.minimum(marker, chromatin)
    amounts[..., 1] += stain.positive_uptake[1] * marker
    amounts[..., 2] += stain.positive_uptake[2] * marker


def _add_membranes(
    amounts: DyeAmounts, nuclei: Nuclei, section: SectionRaster, stain: Stain
) -> None:
    """Add the third dye in place on the membranes of the stain's classes of cells."""
    names = [c.name for c in NUCLEUS_CLASSES]
    for name, amount in stain.membrane_uptake.items():
        selected = nuclei.class_index == names.index(name)
        if selected.any():
            inside = np.minimum(1.4 * _find_cytoplasm(section.materials, name), 1)
            membranes = draw_membranes(nuclei, section.frame, selected)
            amounts[..., 2] += np.float32(amount) * inside * membranes


def _find_cytoplasm(materials: Materials, cell_class: str) -> Plane:
    """Return the material that the bodies of cells of a class are made of."""
    if cell_class == "tumour":
        return materials.tumour
    return materials.epithelium + materials.apical


def _sample_patches(section: SectionRaster, stain: Stain) -> Plane:
    """Return how well the third dye takes, (H, W); neighbouring sections are alike."""
    key = derive_key(section.plane.config.seed, "patches", stain.name)
    waves = sample_noise(section.frame, _PATCH_UM, key, section.plane.z_um)
    return np.asarray(np.maximum(1 + np.float32(stain.patchiness) * waves, 0.1), np.float32)


@dataclass(frozen=True)
class _MeanNuclei:
    """The nuclei of one class in one material, on average; measured at 0.5 µm."""

    material: str
    """The name of the material."""
    area_share: float
    """The share of the material's area that nuclei take."""
    chromatin: float
    """Their mean chromatin."""
    nucleus_class: str
    """The name of their class."""


_MEAN_NUCLEI = (
    _MeanNuclei("stroma", 0.095, 0.62, "spindle"),
    _MeanNuclei("muscle", 0.084, 0.54, "muscle"),
    _MeanNuclei("epithelium", 0.62, 0.58, "epithelium"),
    _MeanNuclei("tumour", 0.63, 0.62, "tumour"),
    _MeanNuclei("apical", 0.40, 0.59, "epithelium"),
    _MeanNuclei("basement", 0.25, 0.60, "epithelium"),
    _MeanNuclei("wall", 0.19, 0.56, "spindle"),
    _MeanNuclei("endothelium", 0.24, 0.64, "endothelium"),
    _MeanNuclei("blood", 0.06, 0.57, "endothelium"),
    _MeanNuclei("fat_membrane", 0.05, 0.65, "fat"),
    _MeanNuclei("lymphoid", 0.66, 0.74, "lymphocyte"),
)
#: The share of the stroma's area that lymphocytes take where every place holds one.
_FULL_LYMPHOCYTE_SHARE = 0.75
#: The share of a cell's area that its membrane takes as it is drawn.
_MEMBRANE_SHARE = 0.26


def _list_mean_nuclei(lymphocyte_share: float) -> Iterator[_MeanNuclei]:
    yield from _MEAN_NUCLEI
    yield _MeanNuclei("stroma", _FULL_LYMPHOCYTE_SHARE * lymphocyte_share, 0.74, "lymphocyte")


def _add_mean_nuclei(
    amounts: DyeAmounts, section: SectionRaster, stain: Stain, crowding: Plane
) -> DyeAmounts:
    """Return dye amounts with nuclei that are too small to be seen.

    Light is averaged between nuclei and what lies around them. `crowding`, (H, W), is how much
    denser than usual they lie.
    """
    materials = section.materials
    for name, amount in stain.membrane_uptake.items():
        cytoplasm = _find_cytoplasm(materials, name)
        amounts[..., 2] += np.float32(amount * _MEMBRANE_SHARE) * cytoplasm
    cover = np.zeros(amounts.shape[:2], np.float32)
    light = np.zeros_like(amounts)
    for nuclei in _list_mean_nuclei(section.plane.config.organ_model.lymphocyte_share):
        material = np.clip(getattr(materials, nuclei.material), 0, 1)
        share = material * (np.float32(nuclei.area_share) * crowding)
        light += share[..., None] * _average_light(nuclei, stain)
        cover += share
    inside = np.exp(-_SEEN_THROUGH_NUCLEUS * amounts)
    outside = (1 - np.minimum(cover, 1))[..., None] * np.exp(-amounts)
    return np.asarray(-np.log(light * inside + outside), np.float32)


def _average_light(nuclei: _MeanNuclei, stain: Stain) -> npt.NDArray[np.float32]:
    """Return the light, (3,) dyes, that passes through positive and negative nuclei on average."""
    positive_share = stain.positive_shares.get(nuclei.nucleus_class, 0.0)
    counterstain = np.array([stain.nuclear_uptake * nuclei.chromatin, 0, 0], np.float32)
    negative = np.exp(-counterstain)
    strength = np.float32(nuclei.chromatin * (1 - stain.weakness / 2))
    marker = np.array(stain.positive_uptake, np.float32) * strength
    return np.asarray(negative + np.float32(positive_share) * (np.exp(-marker) - negative))


def average_dyes(amounts: DyeAmounts, frame: Frame) -> DyeAmounts:
    """Return dye amounts averaged to `frame`, from a raster of a multiple of its pixels.

    Light is averaged, not dye: a coarse pixel that is half nucleus, half glass is brighter than its
    mean dye.
    """
    size = (frame.width, frame.height)
    light = cv2.resize(np.exp(-amounts), size, interpolation=cv2.INTER_AREA)
    return np.asarray(-np.log(light))
