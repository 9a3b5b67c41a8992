"""A trained deformable network as a stage: from a placement to a displacement field."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal, Self

import numpy as np
import torch
from torch import Tensor

from stainbridge.compute import ComputeContext
from stainbridge.geometry.frame import Frame
from stainbridge.geometry.transform import Affine, DisplacementField, Transform
from stainbridge.learn.checkpoint import check_task
from stainbridge.learn.named_weights import find_weights
from stainbridge.learn.weights import (
    build_stored,
    copy_weights,
    header_errors,
    read_weights,
)
from stainbridge.nn.deformable import build_deformable, read_deformable_config
from stainbridge.nn.fields import DeformableNet
from stainbridge.ranges import PixelSize, check_ranges
from stainbridge.registration.sections.density import Masks, SlideDensity, read_density
from stainbridge.registration.sections.section import Section
from stainbridge.registration.sections.views import frame_tissue, sample_section
from stainbridge.registration.stages.blending import TilingConfig, blend_tiles
from stainbridge.registration.stages.deformable import DeformableConfig
from stainbridge.registration.stages.folds import repair_folds
from stainbridge.registration.stages.stage import (
    FOLDS_PX,
    Phase,
    Proposal,
    Stage,
    StageConfig,
    StageProgress,
    State,
)
from stainbridge.slides.slide import Slide


@dataclass(frozen=True)
class LearnedFieldConfig(StageConfig):
    """Settings of a trained deformable network after the placement.

    Raises `InputError` for a pixel size that is not positive.

    Example:
        >>> learned = stainbridge.LearnedFieldConfig(weights="unet-svf")
        >>> config = stainbridge.RegisterConfig().with_stage(learned)
        >>> config.find_stage(stainbridge.LearnedFieldConfig).weights
        'unet-svf'

    """

    kind: Literal["learned-field"] = field(default="learned-field", kw_only=True)
    """The stage's name in a pipeline file."""
    weights: str = "unet-svf"
    """A file, a run folder, or the name of weights that come with stainbridge."""
    mpp: PixelSize | None = None
    """µm per pixel to work at, tile by tile; None: as trained."""
    optimise: DeformableConfig | None = field(
        default_factory=lambda: DeformableConfig(sizes_px=(256, 512), steps=(20, 20), matching=None)
    )
    """Instance optimisation from the network's field; None: none.

    Where the network's field is rejected, the deformable stage keeps its own settings.
    """

    def __post_init__(self) -> None:
        check_ranges(self)


@dataclass(frozen=True, eq=False)
class LearnedFieldStage(Stage):
    """A deformable network after the placement."""

    config: LearnedFieldConfig
    network: LearnedField
    kind: ClassVar[str] = "learned-field"
    name: ClassVar[str] = "learned field"
    phase: ClassVar[Phase] = "deformation"
    config_type: ClassVar[type[StageConfig]] = LearnedFieldConfig
    margin: ClassVar[float] = 0.002  # a network that does next to nothing takes no other's place
    baseline: ClassVar[str] = "the affine"

    @classmethod
    def make(cls, config: LearnedFieldConfig, context: ComputeContext) -> LearnedFieldStage:
        """Return the stage with its network loaded; raises `InputError` for unusable weights."""
        return cls(config, LearnedField.load(find_weights(config.weights), context.device))

    def __call__(self, state: State, progress: StageProgress) -> Proposal:  # noqa: ARG002
        """Propose the network's field."""
        problem = state.problem
        placement = state.placement
        if self.config.mpp is None:
            displacement = self.network.register_sections(*problem.sections, placement)
        else:
            displacement = self.network.register_slides(
                *problem.slides, placement, self.config.mpp, masks=problem.masks
            )
        repaired = repair_folds(displacement, problem.sections[0].frame.fit(FOLDS_PX))
        return Proposal(displacement=repaired, overrides={"deformable": self.config.optimise})


@dataclass(frozen=True, eq=False)
class LearnedField:
    """A trained deformable network, at the resolution that it was trained on."""

    network: DeformableNet
    """The network, in evaluation mode."""
    longest_px: int
    """Longest side of the tissue, in pixels, where `mpp` is None."""
    mpp: float | None
    """µm per pixel; None: see `longest_px`."""
    device: torch.device
    """Where it computes."""

    @classmethod
    def load(cls, path: Path, device: str = "cpu") -> Self:
        """Load from a run folder or a file of weights.

        Raises `InputError` for a damaged file or other weights.
        """
        stored = read_weights(path)
        check_task(stored, "deformable")
        with header_errors(stored):
            config = read_deformable_config(stored.settings["network"], stored.path)
            low, high = stored.settings["section_px"]
            longest_px = round((low + high) / 2)
            mpp = stored.settings["mpp"]
            mpp = None if mpp is None else float(mpp)
        network = build_stored(stored, lambda: build_deformable(config))
        copy_weights(stored, {"network": network})
        return cls(network.eval().to(device), longest_px, mpp, torch.device(device))

    def register_sections(
        self, fixed: Section, moving: Section, placement: Affine, tiling: TilingConfig | None = None
    ) -> DisplacementField:
        """Return the displacement, in the fixed space, to apply before `placement`."""
        view = frame_tissue(fixed, self.longest_px, self.mpp)

        def sample_pair(frame: Frame) -> tuple[Tensor, Tensor]:
            target = sample_section(fixed, frame, [np.eye(3)], self.device)
            return target, sample_section(moving, frame, [placement.matrix], self.device)

        displacement, grid = blend_tiles(self.network, sample_pair, view, tiling or TilingConfig())
        return DisplacementField(displacement, grid, fixed.frame.space, fixed.frame.space)

    def register_slides(
        self,
        fixed: Slide,
        moving: Slide,
        transform: Transform,
        mpp: float,
        tiling: TilingConfig | None = None,
        masks: Masks = (None, None),
    ) -> DisplacementField:
        """Return the same at `mpp` µm per pixel, reading both slides tile by tile.

        `transform` is any map from the fixed slide to the moving one.
        """
        fixed_density = SlideDensity.fit(fixed, masks[0])
        moving_density = SlideDensity.fit(moving, masks[1])
        view = frame_tissue(fixed_density.overview, self.longest_px, mpp)
        space = fixed.frame.space
        identity = Affine(np.eye(3), space, space)

        def read_pair(frame: Frame) -> tuple[Tensor, Tensor]:
            target = read_density(fixed, fixed_density, identity, frame)
            source = read_density(moving, moving_density, transform, frame)
            return self._to_tensor(target), self._to_tensor(source)

        displacement, grid = blend_tiles(self.network, read_pair, view, tiling or TilingConfig())
        return DisplacementField(displacement, grid, space, space)

    def _to_tensor(self, plane: np.ndarray) -> Tensor:
        return torch.from_numpy(plane).to(self.device)[None, None]
