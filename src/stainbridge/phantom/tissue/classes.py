"""Masks per tissue class: which structure each pixel belongs to, nuclei and dyes apart."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from stainbridge.geometry.frame import Frame
from stainbridge.phantom.tissue.anatomy import Anatomy, compute_anatomy
from stainbridge.phantom.tissue.materials import refine_plane
from stainbridge.phantom.tissue.zones import TissueConfig
from stainbridge.phantom.tissue.section_raster import is_bare_glass, plan_anatomy_frame
from stainbridge.types import Mask, Plane

Labels: TypeAlias = npt.NDArray[np.uint8]  # (H, W)

#: The number of a class in label images is its place here. A gland, duct or vessel includes its
#: lumen.
CLASS_NAMES = (
    "glass",
    "stroma",
    "muscle",
    "fat",
    "follicle",
    "gland",
    "lesion",
    "duct",
    "vessel",
    "necrosis",
)


def label_classes(tissue: TissueConfig, frame: Frame, z_um: float) -> Labels:
    """The class of each pixel of `frame`, a frame in tissue space with square pixels, in the plane
    `z_um`.
    """
    labels: Labels = np.zeros((frame.height, frame.width), np.uint8)
    around = plan_anatomy_frame(frame)
    if is_bare_glass(tissue, around, z_um):
        return labels
    coarse = compute_anatomy(tissue, around, z_um)
    for name, where in _layers(coarse):
        labels[refine_plane(where, around, frame) < 0] = CLASS_NAMES.index(name)
    labels[refine_plane(coarse.zones.tissue_depth_um, around, frame) <= 0] = 0
    return labels


def _layers(a: Anatomy) -> tuple[tuple[str, Plane], ...]:
    """Signed distances by class, negative inside; later ones lie on top, as materials claim their
    pixels.
    """
    tumour = a.tumour > 0.5
    return (
        ("stroma", -a.zones.tissue_depth_um),
        ("muscle", -a.zones.muscle_depth_um),
        ("follicle", a.follicle_um),
        ("gland", _where(~tumour, a.gland_um)),
        ("lesion", _where(tumour, a.gland_um)),
        ("duct", a.duct_um),
        ("fat", -a.zones.fat_depth_um),
        ("vessel", a.vessel_um),
        ("necrosis", -a.zones.necrosis_depth_um),
    )


def _where(mask: Mask, distance: Plane) -> Plane:
    return np.where(mask, distance, np.maximum(distance, np.float32(1)))
