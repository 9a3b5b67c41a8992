"""What lies in a plane of the block, before any stain: anatomy, materials and nuclei on one raster."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stainbridge.geometry.frame import Frame
from stainbridge.phantom.space.randomness import derive_key, sample_noise
from stainbridge.phantom.tissue.anatomy import Anatomy, compute_anatomy
from stainbridge.phantom.tissue.compartments import compute_materials
from stainbridge.phantom.tissue.materials import Materials
from stainbridge.phantom.tissue.nuclei import Nuclei, scatter_nuclei
from stainbridge.phantom.tissue.zones import TissueConfig, compute_zones
from stainbridge.types import Plane

#: Structures are computed on pixels of about 5 of the picture's, within these sizes in µm, and
#: interpolated.
ANATOMY_MPP = (2.0, 4.5)
#: Nuclei are drawn one by one on pixels up to this size, and averaged beyond it.
MAX_NUCLEI_MPP = 2.4

_MARGIN_UM = 32.0


@dataclass(frozen=True, eq=False)
class SectionRaster:
    """The plane `z_um` of a block on `frame`: area shares of materials and, on pixels fine enough,
    nuclei one by one.

    `coarse` is the anatomy they come from, on a coarser frame that reaches further; `section`
    numbers the plane.
    """

    tissue: TissueConfig
    frame: Frame
    z_um: float
    coarse: Anatomy
    shares: Materials
    cells: Nuclei | None

    @property
    def section(self) -> int:
        """Sections in the same whole micrometre are the same one: same nuclei, same textures."""
        return round(self.z_um)

    def texture(self, name: str, scale_um: float) -> Plane:
        """Noise of this section's own, (H, W), of mean 0 and deviation 1."""
        return sample_noise(self.frame, scale_um, derive_key(self.tissue.seed, name, self.section))


def rasterise_section(tissue: TissueConfig, frame: Frame, z_um: float) -> SectionRaster | None:
    """The structure on `frame`, a frame in tissue space with square pixels; None where only glass
    is.
    """
    coarse_frame = plan_anatomy_frame(frame)
    if is_bare_glass(tissue, coarse_frame, z_um):
        return None
    coarse = compute_anatomy(tissue, coarse_frame, z_um)
    shares = compute_materials(tissue.parts, coarse, frame, tissue.seed, round(z_um))
    cells = scatter_nuclei(tissue, coarse, frame, round(z_um)) if frame.mpp[0] <= MAX_NUCLEI_MPP else None
    return SectionRaster(tissue, frame, z_um, coarse, shares, cells)


def plan_anatomy_frame(frame: Frame) -> Frame:
    """The frame for structures: pixels a whole multiple of `frame`'s, on a grid fixed in space,
    with a margin.
    """
    mpp = frame.mpp[0]
    step_um = np.clip(5 * mpp, *ANATOMY_MPP)
    factor = 2 ** max(0, int(np.floor(np.log2(step_um / mpp))))
    step = mpp * factor
    low = np.floor((np.array(frame.origin_um) - _MARGIN_UM) / step + 1e-6).astype(int)
    high = np.ceil((np.array(frame.origin_um) + frame.size_um + _MARGIN_UM) / step - 1e-6).astype(
        int
    )
    width, height = (high - low).tolist()
    return Frame(
        frame.space, height, width, (step, step), (float(low[0] * step), float(low[1] * step))
    )


def is_bare_glass(tissue: TissueConfig, frame: Frame, z_um: float) -> bool:
    """Whether no tissue reaches `frame`, judged on a coarse raster."""
    small = frame.fit(48)
    return bool(compute_zones(tissue, small, z_um).tissue_depth_um.max() < -1.5 * max(small.mpp) - 20)
