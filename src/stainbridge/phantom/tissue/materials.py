"""The share of each pixel that each of the tissue's materials takes, and how to work them out."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from stainbridge.geometry.frame import Frame
from stainbridge.phantom.space.randomness import derive_key, sample_noise
from stainbridge.phantom.tissue.anatomy import Anatomy
from stainbridge.phantom.tissue.zones import TissuePlane
from stainbridge.types import Plane

#: Texture finer than this many pixels is not drawn.
MIN_TEXTURE_PX = 1.5
#: Edges are at least this wide in µm, however fine the pixels.
_MIN_EDGE_UM = 0.7
#: A structure whose signed distance stays above this value in µm is not in the frame.
_CLEARANCE_UM = 20


@dataclass(frozen=True, eq=False)
class Materials:
    """Amounts, (H, W) float32 in about 0 to 1, of what can take up a stain; 0 is bare glass."""

    stroma: Plane
    """Collagen fibres."""
    muscle: Plane
    """Smooth muscle."""
    epithelium: Plane
    """Cytoplasm of epithelium."""
    tumour: Plane
    """Cytoplasm of the lesion's cells."""
    apical: Plane
    """The mucous side of epithelium."""
    basement: Plane
    """The membrane around glands."""
    secretion: Plane
    """Mucus in glands."""
    wall: Plane
    """Walls of vessels."""
    endothelium: Plane
    """The lining of vessels."""
    blood: Plane
    """Red blood cells."""
    fat_membrane: Plane
    """Membranes of fat cells, or septa of a lung."""
    lymphoid: Plane
    """Lymph follicles."""
    necrosis: Plane
    """Dead tissue."""


class MaterialCanvas:
    """A raster whose pixels materials claim in turn.

    Attributes:
        anatomy: The anatomy, on a coarser frame.
        frame: The raster.
        mpp: Its pixel size in µm.
        nothing: Zeros, (H, W).
        rest: The share of each pixel that no material has claimed yet, (H, W).
    """

    def __init__(self, plane: TissuePlane, anatomy: Anatomy, frame: Frame) -> None:
        """Begin with tissue where the anatomy has it; textures are the section's own."""
        self.anatomy = anatomy
        self.frame = frame
        self._plane = plane
        self.mpp = frame.mpp[0]
        self._edge_um = max(self.mpp, _MIN_EDGE_UM)
        self.nothing = np.zeros((frame.height, frame.width), np.float32)
        outline = self.refine(anatomy.zones.tissue_depth_um)
        self.rest = self.cover_inside(self.sample_texture("edge", 5) * 1.2 - outline)

    def refine(self, plane: Plane) -> Plane:
        """Return a plane of the anatomy, interpolated to the raster."""
        return refine_plane(plane, self.anatomy.frame, self.frame)

    def sample_texture(self, name: str, scale_um: float) -> Plane:
        """Return noise of the section's own, or 0 when it is too fine for the pixels."""
        if scale_um < MIN_TEXTURE_PX * self.mpp:
            return self.nothing
        key = derive_key(self._plane.config.seed, "texture", name, self._plane.section_number)
        return sample_noise(self.frame, scale_um, key)

    def cover_inside(self, distance: npt.NDArray[np.floating], softness: float = 1.0) -> Plane:
        """Return the share of each pixel with a negative signed distance.

        `softness` is the width of the edge in pixels.
        """
        slope = np.float32(-1 / (self._edge_um * softness))
        return np.asarray(np.clip(distance * slope + np.float32(0.5), 0, 1))

    def cover_line(self, distance: npt.NDArray[np.floating], half_width_um: float) -> Plane:
        """Return the share of each pixel within `half_width_um` of distance 0.

        Lines finer than a pixel keep their weight.
        """
        largest = np.float32(min(1.0, 2 * half_width_um / self._edge_um))
        return np.minimum(self.cover_inside(np.abs(distance) - half_width_um), largest)

    def is_absent(self, distance: Plane) -> bool:
        """Return whether a signed distance stays clear of the frame and its surroundings."""
        return bool(distance.min() > _CLEARANCE_UM)

    def claim(self, share: Plane) -> Plane:
        """Claim a share of what is left, and return it."""
        claimed = self.rest * share
        self.rest = self.rest - claimed
        return np.asarray(claimed)


def refine_plane(plane: Plane, coarse: Frame, frame: Frame) -> Plane:
    """Return `plane`, given on `coarse`, interpolated to `frame`.

    `frame` lies well inside `coarse` and divides its pixels evenly.
    """
    factor = round(coarse.mpp[0] / frame.mpp[0])
    left, top = (
        round((fine_um - coarse_um) / mpp)
        for fine_um, coarse_um, mpp in zip(
            frame.origin_um, coarse.origin_um, frame.mpp, strict=True
        )
    )
    if factor == 1:
        return plane[top : top + frame.height, left : left + frame.width]
    column = left // factor - 1
    row = top // factor - 1
    columns = -(-(left + frame.width) // factor) + 1 - column
    rows = -(-(top + frame.height) // factor) + 1 - row
    part = plane[row : row + rows, column : column + columns]
    part = cv2.resize(part, (columns * factor, rows * factor), interpolation=cv2.INTER_LINEAR)
    left -= column * factor
    top -= row * factor
    return np.asarray(part[top : top + frame.height, left : left + frame.width])
