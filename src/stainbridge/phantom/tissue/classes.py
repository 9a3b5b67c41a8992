"""Masks of tissue classes: which structure each pixel belongs to, whatever the stain."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from stainbridge.geometry.frame import Frame
from stainbridge.phantom.tissue.anatomy import Anatomy, compute_anatomy
from stainbridge.phantom.tissue.materials import refine_plane
from stainbridge.phantom.tissue.section_raster import is_bare_glass, plan_anatomy_frame
from stainbridge.phantom.tissue.zones import TissuePlane
from stainbridge.types import Mask, Plane

Labels: TypeAlias = npt.NDArray[np.uint8]  # (H, W)

#: A class has the number of its place here. A gland, duct or vessel includes its lumen.
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


def label_classes(plane: TissuePlane, frame: Frame) -> Labels:
    """Return the class of each pixel of a plane, (H, W).

    `frame` lies in tissue space and has square pixels.
    """
    labels: Labels = np.zeros((frame.height, frame.width), np.uint8)
    anatomy_frame = plan_anatomy_frame(frame)
    if is_bare_glass(plane, anatomy_frame):
        return labels
    anatomy = compute_anatomy(plane, anatomy_frame)
    for name, distance in _list_layers(anatomy):
        labels[refine_plane(distance, anatomy_frame, frame) < 0] = CLASS_NAMES.index(name)
    labels[refine_plane(anatomy.zones.tissue_depth_um, anatomy_frame, frame) <= 0] = 0
    return labels


def _list_layers(anatomy: Anatomy) -> tuple[tuple[str, Plane], ...]:
    """Return the signed distance to each class, negative inside, the lowest layer first.

    The order is that in which materials claim their pixels, reversed.
    """
    tumour = anatomy.tumour > 0.5
    return (
        ("stroma", -anatomy.zones.tissue_depth_um),
        ("muscle", -anatomy.zones.muscle_depth_um),
        ("follicle", anatomy.follicle_um),
        ("gland", _restrict(anatomy.gland_um, ~tumour)),
        ("lesion", _restrict(anatomy.gland_um, tumour)),
        ("duct", anatomy.duct_um),
        ("fat", -anatomy.zones.fat_depth_um),
        ("vessel", anatomy.vessel_um),
        ("necrosis", -anatomy.zones.necrosis_depth_um),
    )


def _restrict(distance: Plane, mask: Mask) -> Plane:
    """Return the distance, positive everywhere outside `mask`."""
    return np.where(mask, distance, np.maximum(distance, np.float32(1)))
