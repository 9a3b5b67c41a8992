"""What each pixel is made of: area shares of the tissue's materials, with their textures."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from stainbridge.geometry.frame import Frame
from stainbridge.phantom.outline import TissueConfig
from stainbridge.phantom.randomness import bands, key, noise
from stainbridge.phantom.tissue import Anatomy
from stainbridge.types import Plane

#: Detail finer than this many pixels is not drawn but replaced by its mean.
FINEST_PX = 1.5


@dataclass(frozen=True, eq=False)
class Compartments:
    """Amounts, (H, W) float32, about 0..1, of what can take up a stain; all zero is bare glass."""

    stroma: Plane
    muscle: Plane
    epithelium: Plane
    tumour: Plane
    apical: Plane
    basement: Plane
    secretion: Plane
    wall: Plane
    endothelium: Plane
    blood: Plane
    fat_membrane: Plane
    lymphoid: Plane
    necrosis: Plane


def compartments(config: TissueConfig, coarse: Anatomy, frame: Frame, z_um: float) -> Compartments:
    """Materials on `frame`, from the anatomy on a coarser frame whose pixels are whole multiples of `frame`'s."""
    mpp = frame.mpp[0]
    soft = max(mpp, 0.7)

    def fine(plane: Plane) -> Plane:
        return refine(plane, coarse.frame, frame)

    def texture(name: str, scale_um: float) -> Plane | float:
        if scale_um < FINEST_PX * mpp:
            return 0.0
        return noise(frame, scale_um, key(config.seed, "texture", name), z_um)

    def inside(distance: Plane | float) -> Plane:
        return np.asarray(np.clip(0.5 - distance / soft, 0, 1), np.float32)

    zone = coarse.zones
    gland, lining = fine(coarse.gland_um), fine(coarse.lining_um)
    vessel, vessel_wall = fine(coarse.vessel_um), fine(coarse.vessel_wall_um)
    duct, follicle, capillary = fine(coarse.duct_um), fine(coarse.follicle_um), fine(coarse.capillary_um)
    tumour = inside(-fine(zone.lesion_um) / 8)
    tissue = inside(-fine(zone.tissue_um) + 1.2 * texture("edge", 5))
    fat = inside(-fine(zone.fat_um) / 2)
    muscle = inside(-fine(zone.muscle_um) / 6)

    rest = tissue.copy()

    def take(share: Plane) -> Plane:
        nonlocal rest
        part = rest * share
        rest = rest - part
        return np.asarray(part, np.float32)

    in_vessel = inside(vessel)
    lumen = vessel + vessel_wall
    vessel_lumen = take(in_vessel * inside(lumen))
    endothelium = take(np.maximum(in_vessel * inside(np.abs(lumen) - 1.1), inside(np.abs(capillary) - 1.0)))
    capillary_lumen = take(inside(capillary))
    wall = take(in_vessel)
    cells = np.clip(0.55 + 0.5 * texture("blood", 4.5), 0, 1)
    filled = inside((0.45 - fine(coarse.vessel_mark)) * 40)
    blood = vessel_lumen * filled * cells + capillary_lumen * 0.8
    fat_membrane = take(fat) * np.clip(inside(np.abs(fine(coarse.fat_border_um)) - 1.3), 0, 1)

    duct_cuff = take(inside(np.abs(duct - 7) - 7)) * 1.1
    in_duct = take(inside(duct))
    duct_open = in_duct * inside(duct + 20 + 2.5 * texture("duct edge", 12))
    duct_lining = in_duct - duct_open

    in_gland = take(inside(gland))
    basement = in_gland * inside(-gland - 1.3) * 0.9
    depth = gland + lining
    sieve = inside((0.95 - fine(coarse.sieve)) * 9) * inside(gland + 9)
    open_lumen = in_gland * np.maximum(inside(depth), sieve * tumour)
    cytoplasm = in_gland - open_lumen - basement
    apical = cytoplasm * inside(gland + lining * 0.58 + 1.5 * texture("goblet", 6)) * (1 - 0.8 * tumour)
    cytoplasm = cytoplasm - apical
    mark = fine(coarse.mark)
    grain = 1 + 0.14 * texture("grain", 2.2) + 0.10 * texture("fine grain", 0.9)
    full = np.clip((mark - 0.72) * 8, 0, 1) * inside(depth + 2.5)
    secretion = open_lumen * full * np.clip(0.55 + 0.45 * texture("secretion", 7), 0, 1)
    necrosis = (
        open_lumen * tumour * np.clip((0.25 - mark) * 12, 0, 1) * np.clip(0.6 + 0.5 * texture("necrosis", 3), 0, 1)
    )
    lymphoid = take(inside(follicle)) * (1 + 0.1 * texture("lymphoid", 3))

    stripes = _stripes(fine(coarse.fibre), fine(coarse.weave), mpp, config.seed)
    smooth = take(muscle)
    bundle = inside((np.abs(fine(coarse.weave)) - 0.13) * -20)
    cleft = np.clip((-0.85 - stripes - 0.35 * texture("cleft", 9)) * 4, 0, 1)
    loose = rest * (1 - 0.9 * cleft) * (0.86 + 0.32 * stripes) * grain
    stroma = loose + duct_cuff * (0.95 + 0.3 * stripes)
    thick = 1 + 0.06 * texture("thickness", 160)
    shares = {
        "stroma": stroma,
        "muscle": smooth * (0.92 + 0.22 * stripes) * (0.25 + 0.75 * bundle),
        "epithelium": cytoplasm * (1 - tumour) * grain + duct_lining * grain,
        "tumour": cytoplasm * tumour * grain,
        "apical": apical * grain,
        "basement": basement,
        "secretion": secretion,
        "wall": wall * (0.95 + 0.2 * stripes),
        "endothelium": endothelium,
        "blood": blood,
        "fat_membrane": fat_membrane,
        "lymphoid": lymphoid,
        "necrosis": necrosis,
    }
    return Compartments(
        **{name: np.asarray(np.maximum(share, 0) * thick, np.float32) for name, share in shares.items()}
    )


def refine(plane: Plane, coarse: Frame, frame: Frame) -> Plane:
    """`plane` on `coarse`, interpolated to `frame`, which lies inside it and divides its pixels evenly."""
    factor = round(coarse.mpp[0] / frame.mpp[0])
    left, top = (round((o - c) / m) for o, c, m in zip(frame.origin_um, coarse.origin_um, frame.mpp, strict=True))
    if factor > 1:
        size = (plane.shape[1] * factor, plane.shape[0] * factor)
        plane = cv2.resize(plane, size, interpolation=cv2.INTER_LINEAR)
    return plane[top : top + frame.height, left : left + frame.width]


def _stripes(phase: Plane, weave: Plane, mpp: float, seed: int) -> Plane:
    """Fibres in about ±1: two overlaid stripe patterns whose balance varies; fades where pixels are too coarse."""
    visible = float(np.clip(2.2 / mpp - 0.3, 0, 1))
    if visible == 0:
        return np.zeros_like(phase)
    balance = np.clip(0.5 + 0.45 * weave, 0, 1)
    pattern = bands(phase, key(seed, "stripes")) * balance + bands(phase * 0.43, key(seed, "bundles")) * (1 - balance)
    return np.asarray(pattern * np.float32(visible), np.float32)
