"""A network that sees grey pictures of two slides, and the stage that registers with it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from stainbridge.geometry.frame import Frame
from stainbridge.geometry.transform import Affine, DisplacementField, Transform
from stainbridge.joint.grey import SlideGrey
from stainbridge.nn.fields import DeformableNet
from stainbridge.registration.sections.density import Masks
from stainbridge.registration.sections.views import frame_tissue
from stainbridge.registration.stages.blending import ReadPair, TilingConfig, blend_tiles
from stainbridge.slides.slide import Slide
from stainbridge.types import Plane


@dataclass(frozen=True, eq=False)
class GreyField:
    """A trained network from grey pictures, 0 … 1, to the displacement between them."""

    network: DeformableNet
    """The network, in evaluation mode."""
    longest_px: int
    """Longest side of the tissue in pixels, where `mpp` is None."""
    mpp: float | None
    """Pixel size that it was trained at, in µm; None: see `longest_px`."""
    device: torch.device
    """Where it computes."""
    calibrated: bool
    """Whether `mpp` is in µm; otherwise in pixels of files that do not know their pixel size.

    A slide that differs in this is shown with `longest_px`.
    """

    def register_slides(
        self,
        fixed: Slide,
        moving: Slide,
        placement: Transform,
        masks: Masks = (None, None),
        tiling: TilingConfig | None = None,
    ) -> DisplacementField:
        """Return the displacement, in the fixed space, to apply before `placement`.

        `placement` is any map from the fixed slide to the moving one. Raises `InputError` for a
        slide without tissue.
        """
        view, read_pair = self.open_pair(fixed, moving, placement, masks)
        displacement, grid = blend_tiles(self.network, read_pair, view, tiling or TilingConfig())
        space = fixed.frame.space
        return DisplacementField(displacement, grid, space, space)

    def open_pair(
        self, fixed: Slide, moving: Slide, placement: Transform, masks: Masks
    ) -> tuple[Frame, ReadPair]:
        """Return the frame around the fixed tissue, and what reads both pictures on any frame.

        Pictures are (1, 1, H, W). Raises `InputError` for a slide without tissue.
        """
        fixed_grey = SlideGrey.fit(fixed, masks[0])
        moving_grey = SlideGrey.fit(moving, masks[1])
        mpp = self.mpp if fixed.frame.calibrated == self.calibrated else None
        view = frame_tissue(fixed_grey.section, self.longest_px, mpp)
        space = fixed.frame.space
        identity = Affine(np.eye(3), space, space)

        def read_pair(frame: Frame) -> tuple[Tensor, Tensor]:
            target, _ = fixed_grey.read(identity, frame)
            source, _ = moving_grey.read(placement, frame)
            return self._to_tensor(target), self._to_tensor(source)

        return view, read_pair

    def _to_tensor(self, plane: Plane) -> Tensor:
        return torch.from_numpy(plane).to(self.device)[None, None]
