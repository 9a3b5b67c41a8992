"""A trained deformable network as a stage: from an affine start to a displacement field, on any
size of slide.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
from torch import Tensor

from stainbridge.geometry.frame import Frame
from stainbridge.geometry.transform import Affine, DisplacementField, Transform
from stainbridge.learn.checkpoint import check_task
from stainbridge.learn.weights import put, read
from stainbridge.nn.deformable import CONFIGS, deformable_net
from stainbridge.nn.fields import DeformableNet
from stainbridge.registration.sections.density import Masks, SlideDensity, read_density
from stainbridge.registration.sections.section import Section
from stainbridge.registration.sections.views import seen, view_of
from stainbridge.registration.stages.blending import TilingConfig, blended_field
from stainbridge.settings import build
from stainbridge.slides.slide import Slide


@dataclass(frozen=True, eq=False)
class LearnedField:
    """`network` at the resolution it was trained on: tissue `longest_px` long, or `mpp` µm a pixel;
    on `device`.
    """

    network: DeformableNet
    longest_px: int
    mpp: float | None
    device: torch.device

    @classmethod
    def load(cls, path: Path, device: str = "cpu") -> Self:
        """From a run folder or a file of weights.

        Raises `InputError` for a damaged file or other weights.
        """
        stored = read(path)
        check_task(stored, "deformable")
        values = stored.settings["network"]
        network = deformable_net(build(CONFIGS[values["kind"]], values, stored.path))
        put(stored, {"network": network})
        low, high = stored.settings["section_px"]
        return cls(
            network.eval().to(device),
            round((low + high) / 2),
            stored.settings["mpp"],
            torch.device(device),
        )

    def of_sections(
        self, fixed: Section, moving: Section, start: Affine, tiling: TilingConfig | None = None
    ) -> DisplacementField:
        """The displacement, in the fixed space, to apply before `start` (fixed µm to moving µm)."""
        view = view_of(fixed, self.longest_px, self.mpp)

        def pictures(frame: Frame) -> tuple[Tensor, Tensor]:
            return seen(fixed, frame, [np.eye(3)], self.device), seen(
                moving, frame, [start.matrix], self.device
            )

        displacement, grid = blended_field(self.network, pictures, view, tiling or TilingConfig())
        return DisplacementField(displacement, grid, fixed.frame.space, fixed.frame.space)

    def of_slides(
        self,
        fixed: Slide,
        moving: Slide,
        start: Transform,
        mpp: float,
        tiling: TilingConfig | None = None,
        masks: Masks = (None, None),
    ) -> DisplacementField:
        """Likewise at `mpp` µm a pixel, reading both slides tile by tile; `start` may be any
        transform.
        """
        still, shown = SlideDensity.of(fixed, masks[0]), SlideDensity.of(moving, masks[1])
        view = view_of(still.overview, self.longest_px, mpp)
        own = Affine(np.eye(3), fixed.frame.space, fixed.frame.space)

        def pictures(frame: Frame) -> tuple[Tensor, Tensor]:
            planes = (
                read_density(fixed, still, own, frame),
                read_density(moving, shown, start, frame),
            )
            first, second = (
                torch.from_numpy(plane).to(self.device)[None, None] for plane in planes
            )
            return first, second

        displacement, grid = blended_field(self.network, pictures, view, tiling or TilingConfig())
        return DisplacementField(displacement, grid, fixed.frame.space, fixed.frame.space)
