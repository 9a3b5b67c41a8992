"""From anatomy to materials: each structure in turn claims its share of the pixels."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from stainbridge.geometry.frame import Frame
from stainbridge.phantom.space.randomness import derive_key, sample_stripes
from stainbridge.phantom.tissue.anatomy import Anatomy
from stainbridge.phantom.tissue.materials import MaterialCanvas, Materials
from stainbridge.phantom.tissue.nuclei import GLOMERULAR_GAP_UM
from stainbridge.phantom.tissue.zones import TissuePlane
from stainbridge.types import Plane

Shares: TypeAlias = dict[str, Plane]  # (H, W) by material


def compute_materials(plane: TissuePlane, anatomy: Anatomy, frame: Frame) -> Materials:
    """Return the materials on `frame`, whose pixels divide those of the anatomy's frame evenly."""
    organ = plane.config.organ_model
    canvas = MaterialCanvas(plane, anatomy, frame)
    stripes = _draw_stripes(canvas, plane.config.seed)
    coarse_grain = canvas.sample_texture("grain", 2.2)
    grain = 1 + 0.14 * coarse_grain + 0.10 * canvas.sample_texture("fine grain", 0.9)
    tumour = canvas.refine(anatomy.tumour)
    shares = dict.fromkeys(Materials.__dataclass_fields__, canvas.nothing)
    necrosis = _claim_necrosis(canvas, grain)
    shares |= _claim_vessels(canvas, stripes)
    shares |= _claim_fat(canvas, organ.septum_half_width_um)
    cuff, duct_lining = _claim_ducts(canvas)
    shares |= _claim_glands(canvas, tumour, grain)
    shares["epithelium"] = shares["epithelium"] + duct_lining * grain
    shares["necrosis"] = shares["necrosis"] + necrosis
    shares |= _claim_glomeruli(canvas, shares) if organ.has_glomeruli else _claim_follicles(canvas)
    shares |= _claim_muscle(canvas, stripes)
    shares["stroma"] = _claim_stroma(canvas, stripes, grain) + cuff * (1.05 + 0.33 * stripes)
    return Materials(**{name: np.asarray(share, np.float32) for name, share in shares.items()})


def _draw_stripes(canvas: MaterialCanvas, seed: int) -> Plane:
    """Return fibres, within about ±1: two overlaid stripe patterns whose balance varies.

    They fade where pixels are too coarse.
    """
    visibility = float(np.clip(1.7 / canvas.mpp - 0.3, 0, 1))
    if visibility == 0:
        return canvas.nothing
    phase = canvas.refine(canvas.anatomy.fibre_phase)
    balance = np.clip(0.5 + 0.45 * canvas.refine(canvas.anatomy.weave), 0, 1)
    coarse = sample_stripes(phase * 0.43, derive_key(seed, "bundles"))
    fine = sample_stripes(phase, derive_key(seed, "stripes"))
    return np.asarray((coarse + balance * (fine - coarse)) * np.float32(visibility))


def _claim_necrosis(canvas: MaterialCanvas, grain: Plane) -> Plane:
    """Claim dead tissue: smudged, granular, without structure."""
    depth = canvas.anatomy.zones.necrosis_depth_um
    if canvas.is_absent(-depth):
        return canvas.nothing
    weave = canvas.refine(canvas.anatomy.weave)
    share = canvas.claim(canvas.cover_inside(-canvas.refine(depth), 8))
    debris = np.clip(0.72 + 0.2 * canvas.sample_texture("debris", 9) + 0.14 * weave, 0.1, 1)
    return np.asarray(share * grain * debris)


def _claim_vessels(canvas: MaterialCanvas, stripes: Plane) -> Shares:
    """Claim capillaries, and vessels with a lumen, an endothelium and a wall."""
    anatomy = canvas.anatomy
    capillary = canvas.refine(anatomy.capillary_um)
    if canvas.is_absent(anatomy.vessel_um):
        endothelium = canvas.claim(canvas.cover_line(capillary, 1.0))
        blood = np.float32(0.8) * canvas.claim(canvas.cover_inside(capillary))
        return {"endothelium": endothelium, "blood": blood}
    vessel = canvas.refine(anatomy.vessel_um)
    lumen = vessel + canvas.refine(anatomy.vessel_wall_um)
    in_vessel = canvas.cover_inside(vessel)
    opening = canvas.claim(in_vessel * canvas.cover_inside(lumen + 1.1))
    vessel_lining = in_vessel * canvas.cover_line(lumen, 1.1)
    endothelium = canvas.claim(np.maximum(vessel_lining, canvas.cover_line(capillary, 1.0)))
    in_capillary = canvas.claim(canvas.cover_inside(capillary) * (1 - in_vessel))
    wall = canvas.claim(in_vessel)
    cells = np.clip(0.55 + 0.5 * canvas.sample_texture("blood", 4.5), 0, 1)
    filled = np.clip((canvas.refine(anatomy.vessel_mark) - 0.30) * 40 + 0.5, 0, 1)
    return {
        "endothelium": endothelium,
        "blood": opening * filled * cells + 0.8 * in_capillary,
        "wall": wall * (0.95 + 0.2 * stripes),
    }


def _claim_fat(canvas: MaterialCanvas, half_width_um: float) -> Shares:
    """Claim fat. It dissolves when tissue is embedded, so only its cells' membranes are left."""
    depth = canvas.anatomy.zones.fat_depth_um
    if canvas.is_absent(-depth):
        return {}
    fat = canvas.claim(canvas.cover_inside(-canvas.refine(depth), 2))
    border = canvas.refine(canvas.anatomy.fat_border_um)
    return {"fat_membrane": fat * canvas.cover_line(border, half_width_um)}


def _claim_ducts(canvas: MaterialCanvas) -> tuple[Plane, Plane]:
    """Claim ducts, and return their fibrous cuff and their epithelium."""
    if canvas.is_absent(canvas.anatomy.duct_um):
        return canvas.nothing, canvas.nothing
    duct = canvas.refine(canvas.anatomy.duct_um)
    cuff = canvas.claim(canvas.cover_inside(np.abs(duct - 7) - 7, 7))
    in_duct = canvas.claim(canvas.cover_inside(duct))
    lumen = canvas.cover_inside(duct + 20 + 2.5 * canvas.sample_texture("duct edge", 12))
    return cuff, in_duct * (1 - lumen)


def _claim_glands(canvas: MaterialCanvas, tumour: Plane, grain: Plane) -> Shares:
    """Claim glands: a basement membrane, epithelium and a lumen."""
    anatomy = canvas.anatomy
    if canvas.is_absent(anatomy.gland_um):
        return {}
    gland = canvas.refine(anatomy.gland_um)
    lining = canvas.refine(anatomy.lining_um)
    mark = canvas.refine(anatomy.gland_mark)
    in_gland = canvas.claim(canvas.cover_inside(gland))
    basement = in_gland * canvas.cover_line(gland, 1.3)
    lumen_distance = gland + lining
    # In the lesion glands are sieves: round holes wherever the sieve noise is high, not only in the
    # middle.
    sieve = canvas.cover_inside((0.95 - canvas.refine(anatomy.sieve)) * 6)
    holes = sieve * canvas.cover_inside(gland + 9) * tumour
    lumen = (in_gland - basement) * np.maximum(canvas.cover_inside(lumen_distance), holes)
    cells = in_gland - basement - lumen
    goblet = canvas.sample_texture("goblet", 6)
    apical_side = canvas.cover_inside(gland + lining * 0.58 + 1.5 * goblet)
    apical = cells * apical_side * (1 - 0.8 * tumour)
    cytoplasm = (cells - apical) * grain
    full = np.clip((mark - 0.72) * 8, 0, 1) * canvas.cover_inside(lumen_distance + 2.5)
    dying = tumour * np.clip((0.25 - mark) * 12, 0, 1)
    mucus = np.clip(0.55 + 0.45 * canvas.sample_texture("secretion", 7), 0, 1)
    debris = np.clip(0.6 + 0.5 * canvas.sample_texture("necrosis", 3), 0, 1)
    return {
        "basement": 0.9 * basement,
        "apical": apical * grain,
        "epithelium": cytoplasm * (1 - tumour),
        "tumour": cytoplasm * tumour,
        "secretion": lumen * full * mucus,
        "necrosis": lumen * dying * debris,
    }


def _claim_follicles(canvas: MaterialCanvas) -> Shares:
    """Claim lymph follicles."""
    if canvas.is_absent(canvas.anatomy.follicle_um):
        return {}
    share = canvas.claim(canvas.cover_inside(canvas.refine(canvas.anatomy.follicle_um)))
    return {"lymphoid": share * (1 + 0.1 * canvas.sample_texture("lymphoid", 3))}


def _claim_glomeruli(canvas: MaterialCanvas, shares: Shares) -> Shares:
    """Claim glomeruli, loops of capillaries in a round space, and return the shares they change."""
    if canvas.is_absent(canvas.anatomy.follicle_um):
        return {}
    follicle = canvas.refine(canvas.anatomy.follicle_um)
    share = canvas.claim(canvas.cover_inside(follicle))
    loops = canvas.sample_texture("loops", 8)
    tuft_distance = follicle + GLOMERULAR_GAP_UM + 3 * canvas.sample_texture("tuft", 14)
    tuft = share * canvas.cover_inside(tuft_distance)
    open_loops = tuft * np.clip(loops * 2.5 - 0.8, 0, 1)
    capsule = share * canvas.cover_line(follicle + 1.5, 1.5)
    filled = np.clip(canvas.sample_texture("filled loops", 20) * 0.5, 0, 0.6)
    return {
        "endothelium": shares["endothelium"] + (tuft - open_loops) * 0.55,
        "blood": shares["blood"] + open_loops * filled,
        "basement": shares["basement"] + 0.8 * capsule + 0.35 * (tuft - open_loops),
    }


def _claim_muscle(canvas: MaterialCanvas, stripes: Plane) -> Shares:
    """Claim the muscle coat, in bundles."""
    depth = canvas.anatomy.zones.muscle_depth_um
    if canvas.is_absent(-depth):
        return {}
    share = canvas.claim(canvas.cover_inside(-canvas.refine(depth), 6))
    between = canvas.cover_inside(np.abs(canvas.refine(canvas.anatomy.weave)) * 20 - 2.6)
    return {"muscle": share * (0.92 + 0.24 * stripes) * (1 - 0.7 * between)}


def _claim_stroma(canvas: MaterialCanvas, stripes: Plane, grain: Plane) -> Plane:
    """Return what is left: collagen fibres, with clefts where tissue has shrunk."""
    visibility = float(np.clip(1.5 / canvas.mpp, 0, 1))
    cleft_noise = canvas.sample_texture("cleft", 9)
    cleft = np.clip((-0.85 - stripes - 0.35 * cleft_noise) * 4 * visibility, 0, 1)
    return np.asarray(canvas.rest * (1 - 0.9 * cleft) * (0.88 + 0.42 * stripes) * grain)
