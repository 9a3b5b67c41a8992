"""The area shares that tissue's materials take of each pixel, and the tools to work them out."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from stainbridge.geometry.frame import Frame
from stainbridge.phantom.space.randomness import derive_key, sample_noise
from stainbridge.phantom.tissue.anatomy import Anatomy
from stainbridge.types import Plane

#: Texture finer than this many pixels is not drawn.
FINEST_PX = 1.5


@dataclass(frozen=True, eq=False)
class Materials:
    """Amounts, (H, W) float32, about 0..1, of what can take up a stain; all zero is bare glass.

    `wall` is of vessels, `apical` the mucous side of epithelium, `basement` the membrane around
    glands.
    """

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


class MaterialCanvas:
    """`frame`, on which materials are worked out from an anatomy on a coarser frame; `section`
    draws the textures.

    `rest` is what no material has taken yet.
    """

    def __init__(self, coarse: Anatomy, frame: Frame, seed: int, section: int) -> None:
        self.coarse, self.frame = coarse, frame
        self._seed, self._section = seed, section
        self.mpp = frame.mpp[0]
        self._soft = max(self.mpp, 0.7)
        self.nothing = np.zeros((frame.height, frame.width), np.float32)
        self.rest = self.inside(self.texture("edge", 5) * 1.2 - self.fine(coarse.zones.tissue_depth_um))

    def fine(self, plane: Plane) -> Plane:
        """An anatomy plane on `frame`."""
        return refine_plane(plane, self.coarse.frame, self.frame)

    def texture(self, name: str, scale_um: float) -> Plane:
        """Noise of the section's own, or 0 when it is too fine for the pixels."""
        if scale_um < FINEST_PX * self.mpp:
            return self.nothing
        return sample_noise(self.frame, scale_um, derive_key(self._seed, "texture", name, self._section))

    def inside(self, distance: npt.NDArray[np.floating], softness_um: float = 1.0) -> Plane:
        """The share of each pixel with a negative distance; `softness_um` widens the edge beyond a
        pixel.
        """
        slope = np.float32(-1 / (self._soft * softness_um))
        return np.asarray(np.clip(distance * slope + np.float32(0.5), 0, 1))

    def line(self, distance: npt.NDArray[np.floating], half_width_um: float) -> Plane:
        """The share of each pixel within `half_width_um` of distance 0, also of lines finer than a
        pixel.
        """
        most = np.float32(min(1.0, 2 * half_width_um / self._soft))
        return np.minimum(self.inside(np.abs(distance) - half_width_um), most)

    def absent(self, plane: Plane) -> bool:
        """Whether a signed distance stays clear of the frame and its surroundings, so that nothing
        is inside.
        """
        return bool(plane.min() > 20)

    def take(self, share: Plane) -> Plane:
        """Claim a share of what is left."""
        part = self.rest * share
        self.rest = self.rest - part
        return np.asarray(part)


def refine_plane(plane: Plane, coarse: Frame, frame: Frame) -> Plane:
    """`plane` on `coarse`, interpolated to `frame`, which lies well inside it and divides its
    pixels evenly.
    """
    factor = round(coarse.mpp[0] / frame.mpp[0])
    left, top = (
        round((o - c) / m)
        for o, c, m in zip(frame.origin_um, coarse.origin_um, frame.mpp, strict=True)
    )
    if factor == 1:
        return plane[top : top + frame.height, left : left + frame.width]
    column, row = left // factor - 1, top // factor - 1
    columns, rows = (
        -(-(left + frame.width) // factor) + 1 - column,
        -(-(top + frame.height) // factor) + 1 - row,
    )
    part = plane[row : row + rows, column : column + columns]
    part = cv2.resize(part, (columns * factor, rows * factor), interpolation=cv2.INTER_LINEAR)
    left, top = left - column * factor, top - row * factor
    return np.asarray(part[top : top + frame.height, left : left + frame.width])
