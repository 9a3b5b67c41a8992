"""A stained section of a block of tissue: dye amounts anywhere, at any resolution."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame
from stainbridge.phantom.compartments import materials
from stainbridge.phantom.draw import painted
from stainbridge.phantom.materials import Materials
from stainbridge.phantom.nuclei import CLASSES, nuclei
from stainbridge.phantom.outline import TissueConfig, Zones, zones, zones_at
from stainbridge.phantom.randomness import key, noise
from stainbridge.phantom.stain import STAINS, Stain, stained
from stainbridge.phantom.tissue import anatomy
from stainbridge.types import Plane, Points

Amounts = npt.NDArray[np.float32]  # (H, W, 3): dyes of the stain

#: Structures are computed on pixels of about 5 of the picture's, within these sizes in µm, and interpolated.
STRUCTURE_UM = (2.0, 4.5)
#: Nuclei are drawn one by one on pixels up to this size, and averaged beyond it.
NUCLEI_UM = 2.4
#: Structures are averaged from pixels of at most this size.
COARSEST_UM = 10.5

_MARGIN_UM = 32.0
_SHOWS_THROUGH = 0.3  # how much of the dye around a nucleus is seen within it


@dataclass(frozen=True)
class Section:
    """The section cut `distance_um` below the block's reference plane, stained.

    Sections share the structure, which changes slowly with depth; nuclei are drawn anew for each whole micrometre.
    """

    tissue: TissueConfig
    stain: Stain = STAINS["HE"]
    distance_um: float = 0.0

    def __post_init__(self) -> None:
        if not np.isfinite(self.distance_um):
            raise InputError("the section's distance must be finite", expected="µm", got=self.distance_um)

    def depth_um(self, tissue_points_um: Points) -> Plane:
        """Depth below the outline at points (N, 2) of tissue space, in µm, to about 1 % of the tissue's size."""
        return np.asarray(self._zones_at(tissue_points_um).tissue_um[0])

    def fat_um(self, tissue_points_um: Points) -> Plane:
        """Depth into fat at points (N, 2) of tissue space, likewise."""
        return np.asarray(self._zones_at(tissue_points_um).fat_um[0])

    def _zones_at(self, points_um: Points) -> Zones:
        x, y = np.asarray(points_um, np.float32).T
        return zones_at(self.tissue, x[None], y[None], self.distance_um)

    def amounts(self, frame: Frame) -> Amounts:
        """Dye amounts (H, W, 3) on `frame`, a frame in tissue space with square pixels; 0 is bare glass."""
        mpp = frame.mpp[0]
        reduce = int(np.ceil(mpp / COARSEST_UM))
        if reduce > 1:
            fine = Frame(frame.name, frame.height * reduce, frame.width * reduce, (mpp / reduce,) * 2, frame.origin_um)
            # Light is averaged, not dye: a coarse pixel that is half nucleus, half glass is brighter than its mean dye.
            light = cv2.resize(np.exp(-self._drawn(fine)), (frame.width, frame.height), interpolation=cv2.INTER_AREA)
            return np.asarray(-np.log(light))
        return self._drawn(frame)

    def _drawn(self, frame: Frame) -> Amounts:
        coarse_frame = _surrounding(frame)
        if _misses_tissue(self.tissue, coarse_frame, self.distance_um):
            return np.zeros((frame.height, frame.width, 3), np.float32)
        coarse = anatomy(self.tissue, coarse_frame, self.distance_um)
        number = round(self.distance_um)
        shares = materials(coarse, frame, self.tissue.seed, number)
        amounts = stained(self.stain, shares)
        # Sections are not cut evenly: thicker tissue holds more of every dye.
        amounts *= 1 + 0.06 * noise(frame, 160, key(self.tissue.seed, "thickness", number))[..., None]
        if frame.mpp[0] > NUCLEI_UM:
            crowding = 1 + 0.45 * noise(frame, max(7.0, 1.5 * frame.mpp[0]), key(self.tissue.seed, "crowding", number))
            return _with_mean_nuclei(amounts, shares, self.stain, crowding)
        cells = nuclei(self.tissue, coarse, frame, number)
        chance = np.array([self.stain.positive.get(c.name, 0.0) for c in CLASSES])[cells.kind]
        chromatin = painted(cells, frame)
        if frame.mpp[0] < 0.8:
            grain = noise(frame, 0.8, key(self.tissue.seed, "chromatin", number)) * 0.09
            chromatin *= 1 + grain + 0.12 * noise(frame, 1.7, key(self.tissue.seed, "clumps", number))
        cover = np.clip(chromatin * 2.2, 0, 1)[..., None]
        amounts *= 1 - (1 - _SHOWS_THROUGH) * cover
        amounts[..., 0] += self.stain.nuclei * chromatin
        positive = cells.lot < chance
        if positive.any():
            brown = painted(cells, frame, positive)
            amounts[..., 0] -= (self.stain.nuclei - self.stain.positive_nuclei[0]) * np.minimum(brown, chromatin)
            amounts[..., 1] += self.stain.positive_nuclei[1] * brown
            amounts[..., 2] += self.stain.positive_nuclei[2] * brown
        return np.asarray(np.maximum(amounts, 0))


#: By material: the share of its area that nuclei take, their mean chromatin, and their class; measured at 0.5 µm.
_NUCLEAR = {
    "stroma": (0.095, 0.62, "spindle"),
    "muscle": (0.084, 0.54, "muscle"),
    "epithelium": (0.62, 0.58, "epithelium"),
    "tumour": (0.63, 0.62, "tumour"),
    "apical": (0.40, 0.59, "epithelium"),
    "basement": (0.25, 0.60, "epithelium"),
    "wall": (0.19, 0.56, "spindle"),
    "endothelium": (0.24, 0.64, "endothelium"),
    "blood": (0.06, 0.57, "endothelium"),
    "fat_membrane": (0.05, 0.65, "fat"),
    "lymphoid": (0.66, 0.74, "lymphocyte"),
}


def _with_mean_nuclei(amounts: Amounts, shares: Materials, stain: Stain, crowding: Plane) -> Amounts:
    """Dyes when nuclei are too small to be seen: light averaged between nuclei and what lies around them.

    `crowding`, (H, W), is how much denser than usual they lie.
    """
    cover = np.zeros(amounts.shape[:2], np.float32)
    light = np.zeros_like(amounts)
    inside = np.exp(-_SHOWS_THROUGH * amounts)
    for name, (share, chromatin, kind) in _NUCLEAR.items():
        part = np.clip(getattr(shares, name), 0, 1) * (np.float32(share) * crowding)
        positive = stain.positive.get(kind, 0.0)
        negative_light = np.exp(-np.array([stain.nuclei * chromatin, 0, 0], np.float32))
        positive_light = np.exp(-np.array(stain.positive_nuclei, np.float32) * np.float32(chromatin))
        light += part[..., None] * (negative_light + np.float32(positive) * (positive_light - negative_light))
        cover += part
    return np.asarray(-np.log(light * inside + (1 - np.minimum(cover, 1))[..., None] * np.exp(-amounts)), np.float32)


def _surrounding(frame: Frame) -> Frame:
    """The frame for structures: pixels a whole multiple of `frame`'s, on a grid fixed in space, with a margin."""
    mpp = frame.mpp[0]
    step_um = np.clip(5 * mpp, *STRUCTURE_UM)
    factor = 2 ** max(0, int(np.floor(np.log2(step_um / mpp))))
    step = mpp * factor
    low = np.floor((np.array(frame.origin_um) - _MARGIN_UM) / step + 1e-6).astype(int)
    high = np.ceil((np.array(frame.origin_um) + frame.size_um + _MARGIN_UM) / step - 1e-6).astype(int)
    width, height = (high - low).tolist()
    return Frame(frame.name, height, width, (step, step), (float(low[0] * step), float(low[1] * step)))


def _misses_tissue(tissue: TissueConfig, frame: Frame, z_um: float) -> bool:
    """Whether no tissue reaches `frame`, judged on a coarse raster."""
    return bool(zones(tissue, frame.fit(48), z_um).tissue_um.max() < -1.5 * max(frame.fit(48).mpp) - 20)
