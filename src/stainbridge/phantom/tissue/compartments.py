"""From anatomy to materials: vessels, fat, ducts, glands, follicles, muscle and stroma claim their
pixels in turn.
"""

from __future__ import annotations

import numpy as np

from stainbridge.geometry.frame import Frame
from stainbridge.phantom.space.randomness import sample_stripes, derive_key
from stainbridge.phantom.tissue.anatomy import Anatomy
from stainbridge.phantom.tissue.materials import Materials, MaterialCanvas
from stainbridge.phantom.tissue.nuclei import GLOMERULAR_GAP_UM
from stainbridge.phantom.tissue.organs import Organ
from stainbridge.types import Plane

Parts = dict[str, Plane]


def compute_materials(organ: Organ, coarse: Anatomy, frame: Frame, seed: int, section: int) -> Materials:
    """Materials on `frame`, from the anatomy on a coarser frame whose pixels are whole multiples of
    `frame`'s.
    """
    raster = MaterialCanvas(coarse, frame, seed, section)
    stripes = _stripes(raster, seed)
    grain = 1 + 0.14 * raster.texture("grain", 2.2) + 0.10 * raster.texture("fine grain", 0.9)
    tumour = raster.fine(coarse.tumour)
    parts = dict.fromkeys(Materials.__dataclass_fields__, raster.nothing)
    dead = _necrosis(raster, grain)
    parts |= _vessels(raster, stripes)
    parts |= _fat(raster, organ.septum_um)
    cuff, duct_lining = _duct(raster)
    parts |= _glands(raster, tumour, grain)
    parts["epithelium"] = parts["epithelium"] + duct_lining * grain
    parts["necrosis"] = parts["necrosis"] + dead
    parts |= _tuft(raster, parts) if organ.tufts else _follicle(raster)
    parts |= _muscle(raster, stripes)
    parts["stroma"] = _stroma(raster, stripes, grain) + cuff * (1.05 + 0.33 * stripes)
    return Materials(**{name: np.asarray(part, np.float32) for name, part in parts.items()})


def _stripes(raster: MaterialCanvas, seed: int) -> Plane:
    """Fibres in about ±1: two overlaid stripe patterns whose balance varies; they fade where pixels
    are too coarse.
    """
    visible = float(np.clip(1.7 / raster.mpp - 0.3, 0, 1))
    if visible == 0:
        return raster.nothing
    phase, weave = raster.fine(raster.coarse.fibre), raster.fine(raster.coarse.weave)
    balance = np.clip(0.5 + 0.45 * weave, 0, 1)
    coarse, fine = sample_stripes(phase * 0.43, derive_key(seed, "bundles")), sample_stripes(phase, derive_key(seed, "stripes"))
    return np.asarray((coarse + balance * (fine - coarse)) * np.float32(visible))


def _necrosis(raster: MaterialCanvas, grain: Plane) -> Plane:
    """Dead tissue: smudged, granular, without structure."""
    if raster.absent(-raster.coarse.zones.necrosis_depth_um):
        return raster.nothing
    weave = raster.fine(raster.coarse.weave)
    dead = raster.take(raster.inside(-raster.fine(raster.coarse.zones.necrosis_depth_um), 8))
    return np.asarray(
        dead * grain * np.clip(0.72 + 0.2 * raster.texture("debris", 9) + 0.14 * weave, 0.1, 1)
    )


def _vessels(raster: MaterialCanvas, stripes: Plane) -> Parts:
    a = raster.coarse
    capillary = raster.fine(a.capillary_um)
    if raster.absent(a.vessel_um):
        endothelium = raster.take(raster.line(capillary, 1.0))
        return {
            "endothelium": endothelium,
            "blood": np.float32(0.8) * raster.take(raster.inside(capillary)),
        }
    vessel = raster.fine(a.vessel_um)
    lumen = vessel + raster.fine(a.vessel_wall_um)
    in_vessel = raster.inside(vessel)
    opening = raster.take(in_vessel * raster.inside(lumen + 1.1))
    lining = np.maximum(in_vessel * raster.line(lumen, 1.1), raster.line(capillary, 1.0))
    endothelium = raster.take(lining)
    in_capillary = raster.take(raster.inside(capillary) * (1 - in_vessel))
    wall = raster.take(in_vessel)
    cells = np.clip(0.55 + 0.5 * raster.texture("blood", 4.5), 0, 1)
    filled = np.clip((raster.fine(a.vessel_mark) - 0.30) * 40 + 0.5, 0, 1)
    return {
        "endothelium": endothelium,
        "blood": opening * filled * cells + 0.8 * in_capillary,
        "wall": wall * (0.95 + 0.2 * stripes),
    }


def _fat(raster: MaterialCanvas, half_width_um: float) -> Parts:
    """Fat is dissolved when tissue is embedded: only the cells' membranes are left. Thicker ones
    are a lung's septa.
    """
    if raster.absent(-raster.coarse.zones.fat_depth_um):
        return {}
    fat = raster.take(raster.inside(-raster.fine(raster.coarse.zones.fat_depth_um), 2))
    return {
        "fat_membrane": fat * raster.line(raster.fine(raster.coarse.fat_border_um), half_width_um)
    }


def _duct(raster: MaterialCanvas) -> tuple[Plane, Plane]:
    """The fibrous cuff around ducts, and their epithelium."""
    if raster.absent(raster.coarse.duct_um):
        return raster.nothing, raster.nothing
    duct = raster.fine(raster.coarse.duct_um)
    cuff = raster.take(raster.inside(np.abs(duct - 7) - 7, 7))
    in_duct = raster.take(raster.inside(duct))
    return cuff, in_duct * (1 - raster.inside(duct + 20 + 2.5 * raster.texture("duct edge", 12)))


def _glands(raster: MaterialCanvas, tumour: Plane, grain: Plane) -> Parts:
    a = raster.coarse
    if raster.absent(a.gland_um):
        return {}
    gland, lining, mark = raster.fine(a.gland_um), raster.fine(a.lining_um), raster.fine(a.mark)
    in_gland = raster.take(raster.inside(gland))
    basement = in_gland * raster.line(gland, 1.3)
    depth = gland + lining
    # In the lesion glands are sieves: round holes wherever the sieve noise is high, not only in the
    # middle.
    holes = raster.inside((0.95 - raster.fine(a.sieve)) * 6) * raster.inside(gland + 9) * tumour
    lumen = (in_gland - basement) * np.maximum(raster.inside(depth), holes)
    cells = in_gland - basement - lumen
    towards_lumen = raster.inside(gland + lining * 0.58 + 1.5 * raster.texture("goblet", 6))
    apical = cells * towards_lumen * (1 - 0.8 * tumour)
    cytoplasm = (cells - apical) * grain
    full = np.clip((mark - 0.72) * 8, 0, 1) * raster.inside(depth + 2.5)
    dying = tumour * np.clip((0.25 - mark) * 12, 0, 1)
    return {
        "basement": 0.9 * basement,
        "apical": apical * grain,
        "epithelium": cytoplasm * (1 - tumour),
        "tumour": cytoplasm * tumour,
        "secretion": lumen * full * np.clip(0.55 + 0.45 * raster.texture("secretion", 7), 0, 1),
        "necrosis": lumen * dying * np.clip(0.6 + 0.5 * raster.texture("necrosis", 3), 0, 1),
    }


def _follicle(raster: MaterialCanvas) -> Parts:
    if raster.absent(raster.coarse.follicle_um):
        return {}
    share = raster.take(raster.inside(raster.fine(raster.coarse.follicle_um)))
    return {"lymphoid": share * (1 + 0.1 * raster.texture("lymphoid", 3))}


def _tuft(raster: MaterialCanvas, parts: Parts) -> Parts:
    """Glomeruli: loops of capillaries in a round space."""
    if raster.absent(raster.coarse.follicle_um):
        return {}
    follicle = raster.fine(raster.coarse.follicle_um)
    share = raster.take(raster.inside(follicle))
    loops = raster.texture("loops", 8)
    tuft = share * raster.inside(follicle + GLOMERULAR_GAP_UM + 3 * raster.texture("tuft", 14))
    open_loops = tuft * np.clip(loops * 2.5 - 0.8, 0, 1)
    rim = share * raster.line(follicle + 1.5, 1.5)
    return {
        "endothelium": parts["endothelium"] + (tuft - open_loops) * 0.55,
        "blood": parts["blood"]
        + open_loops * np.clip(raster.texture("filled loops", 20) * 0.5, 0, 0.6),
        "basement": parts["basement"] + 0.8 * rim + 0.35 * (tuft - open_loops),
    }


def _muscle(raster: MaterialCanvas, stripes: Plane) -> Parts:
    if raster.absent(-raster.coarse.zones.muscle_depth_um):
        return {}
    share = raster.take(raster.inside(-raster.fine(raster.coarse.zones.muscle_depth_um), 6))
    between = raster.inside(np.abs(raster.fine(raster.coarse.weave)) * 20 - 2.6)
    return {"muscle": share * (0.92 + 0.24 * stripes) * (1 - 0.7 * between)}


def _stroma(raster: MaterialCanvas, stripes: Plane, grain: Plane) -> Plane:
    """What is left: collagen fibres, with clefts where tissue has shrunk."""
    visible = float(np.clip(1.5 / raster.mpp, 0, 1))
    cleft = np.clip((-0.85 - stripes - 0.35 * raster.texture("cleft", 9)) * 4 * visible, 0, 1)
    return np.asarray(raster.rest * (1 - 0.9 * cleft) * (0.88 + 0.42 * stripes) * grain)
