"""A plane of the block on a raster, before it is stained: materials and nuclei."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stainbridge.geometry.frame import Frame
from stainbridge.phantom.space.randomness import derive_key, sample_noise
from stainbridge.phantom.tissue.anatomy import Anatomy, compute_anatomy
from stainbridge.phantom.tissue.compartments import compute_materials
from stainbridge.phantom.tissue.materials import Materials
from stainbridge.phantom.tissue.nuclei import Nuclei, scatter_nuclei
from stainbridge.phantom.tissue.zones import TissuePlane, compute_zones
from stainbridge.types import Plane

#: Anatomy is computed on pixels of about five of the raster's and interpolated; this is the range
#: of its pixel sizes in µm.
ANATOMY_MPP = (2.0, 4.5)
#: Nuclei are drawn one by one on pixels up to this size in µm, and averaged beyond it.
MAX_NUCLEI_MPP = 2.4

#: How far the anatomy reaches beyond the raster: more than a nucleus and its gradient need.
_MARGIN_UM = 32.0


@dataclass(frozen=True, eq=False)
class SectionRaster:
    """A plane of a block of tissue on a raster."""

    plane: TissuePlane
    """The plane."""
    frame: Frame
    """The raster, in tissue space."""
    anatomy: Anatomy
    """The anatomy, on a coarser frame that reaches further."""
    materials: Materials
    """Area shares of the materials."""
    nuclei: Nuclei | None
    """The nuclei, where pixels are fine enough to draw them one by one."""

    def sample_texture(self, name: str, scale_um: float) -> Plane:
        """Return noise of this section's own, (H, W), of mean 0 and deviation 1."""
        key = derive_key(self.plane.config.seed, name, self.plane.section_number)
        return sample_noise(self.frame, scale_um, key)


def rasterise_section(plane: TissuePlane, frame: Frame) -> SectionRaster | None:
    """Return a plane on `frame`, or None where there is only glass.

    `frame` lies in tissue space and has square pixels.
    """
    anatomy_frame = plan_anatomy_frame(frame)
    if is_bare_glass(plane, anatomy_frame):
        return None
    anatomy = compute_anatomy(plane, anatomy_frame)
    materials = compute_materials(plane, anatomy, frame)
    nuclei = None
    if frame.mpp[0] <= MAX_NUCLEI_MPP:
        nuclei = scatter_nuclei(plane, anatomy, frame)
    return SectionRaster(plane, frame, anatomy, materials, nuclei)


def plan_anatomy_frame(frame: Frame) -> Frame:
    """Return the frame to compute anatomy on for `frame`: coarser pixels, and a margin.

    A pixel is a whole multiple of `frame`'s, on a grid fixed in space.
    """
    mpp = frame.mpp[0]
    wanted_mpp = np.clip(5 * mpp, *ANATOMY_MPP)
    factor = 2 ** max(0, int(np.floor(np.log2(wanted_mpp / mpp))))
    step = mpp * factor
    origin = np.array(frame.origin_um)
    low = np.floor((origin - _MARGIN_UM) / step + 1e-6).astype(int)
    high = np.ceil((origin + frame.size_um + _MARGIN_UM) / step - 1e-6).astype(int)
    width, height = (high - low).tolist()
    origin_um = (float(low[0] * step), float(low[1] * step))
    return Frame(frame.space, height, width, (step, step), origin_um)


def is_bare_glass(plane: TissuePlane, frame: Frame) -> bool:
    """Return whether no tissue reaches `frame`, judged on a coarse raster."""
    coarse = frame.fit(48)
    depth = compute_zones(plane, coarse).tissue_depth_um
    return bool(depth.max() < -1.5 * max(coarse.mpp) - 20)
