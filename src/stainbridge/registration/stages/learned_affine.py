"""The trained affine network as a stage: from candidate placements to better ones, in one batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

import numpy as np
import torch
from torch import Tensor

from stainbridge.compute import ComputeContext
from stainbridge.geometry.frame import Frame
from stainbridge.geometry.transform import Affine
from stainbridge.learn.checkpoint import check_task
from stainbridge.learn.named_weights import find_weights
from stainbridge.learn.weights import (
    build_stored,
    copy_weights,
    header_errors,
    read_weights,
)
from stainbridge.nn.affine import AffineNetwork, build_affine, read_affine_config
from stainbridge.ranges import Within, check_ranges
from stainbridge.registration.sections.section import Section
from stainbridge.registration.sections.views import frame_tissue, sample_section
from stainbridge.registration.stages.hypothesis import (
    Hypothesis,
    select_distinct,
    sort_hypotheses,
)
from stainbridge.registration.stages.stage import (
    Phase,
    Proposal,
    Stage,
    StageConfig,
    StageProgress,
    State,
)
from stainbridge.similarity.lncc import LocalNCC
from stainbridge.types import Matrix

#: Pixels of moving pictures that go through the network at once.
BATCH_PX = 2_000_000
#: Radius in pixels of the windows of the local NCC that ranks the network's placements.
RADIUS_PX = 5
#: Placements nearer than this share of the section's radius are one.
DISTINCT_RADIUS_SHARE = 0.05
#: Turns that the network goes on with after a first pass of all of them.
KEPT_TURNS = 16


@dataclass(frozen=True)
class LearnedAffineConfig(StageConfig):
    """Settings of the trained affine network.

    After a search it improves the search's candidates. Before the search, with `angles`, it begins
    at turns of its own; where the best of them is convincing, the search is left out.

    Example:
        >>> learned = stainbridge.LearnedAffineConfig(weights="affine-net")
        >>> config = stainbridge.RegisterConfig().with_stage(learned)
        >>> config.find_stage(stainbridge.LearnedAffineConfig).weights
        'affine-net'

    """

    kind: Literal["learned-affine"] = field(default="learned-affine", kw_only=True)
    """The stage's name in a pipeline file."""
    weights: str = "affine-net"
    """A file, a run folder, or the name of weights that come with stainbridge."""
    passes: Annotated[int, Within(1, 100)] = 1
    """Times that every candidate goes through the network."""
    finer: Annotated[int, Within(0, 100)] = 2
    """Further passes at twice the resolution: the first of the best, the others of the best one."""
    keep: Annotated[int, Within(1, 1000)] = 3
    """Best placements that go on to the finer passes."""
    refine: bool = True
    """Whether the affine refinement follows, or the best placement stands."""
    angles: Annotated[int, Within(0, 3600)] = 0
    """Turns about the tissues' centres to begin at, each also mirrored; 0 for none."""

    def __post_init__(self) -> None:
        check_ranges(self)


@dataclass(frozen=True, eq=False)
class LearnedAffineStage(Stage):
    """The affine network on many candidates at once."""

    config: LearnedAffineConfig
    network: LearnedAffine
    kind: ClassVar[str] = "learned-affine"
    name: ClassVar[str] = "affine-net"
    phase: ClassVar[Phase] = "placement"
    config_type: ClassVar[type[StageConfig]] = LearnedAffineConfig
    needs_candidates: ClassVar[bool] = False
    margin: ClassVar[float] = 0.002  # a network that does next to nothing takes no other's place
    baseline: ClassVar[str] = "the best start"

    @classmethod
    def make(cls, config: LearnedAffineConfig, context: ComputeContext) -> LearnedAffineStage:
        """Return the stage with its network loaded; raises `InputError` for unusable weights."""
        return cls(config, LearnedAffine.load(find_weights(config.weights), context.device))

    def __call__(self, state: State, progress: StageProgress) -> Proposal | None:  # noqa: ARG002
        """Propose the best distinct placements; own turns where there are no candidates yet."""
        problem = state.problem
        affine: dict[str, StageConfig | None] = {} if self.config.refine else {"affine": None}
        if state.candidates:
            return Proposal(
                tuple(self.improve(*problem.sections, state.candidates)), overrides=affine
            )
        if not self.config.angles or problem.initial_transform is not None:
            return None
        flips = (False, True) if problem.allow_flip else (False,)
        placements = self.improve_turns(*problem.sections, flips, problem.max_rotation_deg)
        done = {"search": None, self.kind: None}
        return Proposal(tuple(placements), overrides={**done, **affine})

    def improve(
        self, fixed: Section, moving: Section, candidates: Sequence[Hypothesis]
    ) -> list[Hypothesis]:
        """Return the best distinct placements that the network finds, best first."""
        matrices = [candidate.matrix for candidate in candidates]
        coarse = self.network.rank(fixed, moving, matrices, self.config.passes)
        best = select_distinct(coarse, fixed, self.config.keep, DISTINCT_RADIUS_SHARE)
        if not self.config.finer:
            return best
        finer = self.network.refine_resolution()
        best = finer.rank(fixed, moving, [hypothesis.matrix for hypothesis in best])
        if self.config.finer > 1:
            best += finer.rank(fixed, moving, [best[0].matrix], self.config.finer - 1)
        return sort_hypotheses(best)[: self.config.keep]

    def improve_turns(
        self, fixed: Section, moving: Section, flips: Sequence[bool], limit_deg: float
    ) -> list[Hypothesis]:
        """Return what `improve` finds from turns about the tissues' centres.

        All turns go through the network once; the best `KEPT_TURNS` go on.
        """
        turns = make_turns(fixed, moving, self.config.angles, flips, limit_deg)
        first = self.network.rank(fixed, moving, [turn.matrix for turn in turns])
        return self.improve(fixed, moving, first[:KEPT_TURNS])


def make_turns(
    fixed: Section, moving: Section, angles: int, flips: Sequence[bool], limit_deg: float
) -> list[Hypothesis]:
    """Return placements of centre on centre at equally spaced angles of at most `limit_deg`.

    Where both pixel sizes are known the scale is 1, else both tissues get the same area.
    """
    calibrated = fixed.frame.calibrated and moving.frame.calibrated
    scale = 1.0 if calibrated else float(np.sqrt(moving.area_um2 / fixed.area_um2))
    degrees = (np.arange(angles) * 360 / angles + 180) % 360 - 180
    radians = np.radians(degrees[np.abs(degrees) <= limit_deg])
    return [
        Hypothesis(_place(scale, angle, flip, fixed, moving), 0.0)
        for angle in radians
        for flip in flips
    ]


def _place(scale: float, angle: float, flip: bool, fixed: Section, moving: Section) -> Matrix:
    cos, sin = np.cos(angle), np.sin(angle)
    matrix = np.eye(3)
    mirror = np.diag([-1.0 if flip else 1.0, 1.0])
    matrix[:2, :2] = scale * np.array([[cos, -sin], [sin, cos]]) @ mirror
    matrix[:2, 2] = np.asarray(moving.centre_um) - matrix[:2, :2] @ np.asarray(fixed.centre_um)
    return matrix


@dataclass(frozen=True, eq=False)
class LearnedAffine:
    """A trained affine network, applied to sections."""

    network: AffineNetwork
    """The network, in evaluation mode."""
    longest_px: int
    """Longest side of the pictures it is shown, in pixels."""
    device: torch.device
    """Where it computes."""
    square: bool = False
    """Whether the pictures are square, or of the tissue's aspect."""

    @classmethod
    def load(cls, path: Path, device: str = "cpu") -> Self:
        """Load from a run folder or a file of weights.

        Raises `InputError` for a damaged file or other weights.
        """
        stored = read_weights(path)
        check_task(stored, "affine")
        with header_errors(stored):
            config = read_affine_config(stored.settings["network"], stored.path)
            low, high = stored.settings["section_px"]
            section_px = round((low + high) / 2)
            square = bool(stored.settings.get("square", False))
        network = build_stored(stored, lambda: build_affine(config))
        copy_weights(stored, {"network": network})
        return cls(network.eval().to(device), section_px, torch.device(device), square)

    def refine_resolution(self) -> Self:
        """Return the same network on pictures of twice the resolution.

        Its windows and patches then show less, but more exactly.
        """
        return replace(self, longest_px=2 * self.longest_px)

    def __call__(
        self, fixed: Section, moving: Section, starts: Sequence[Matrix], passes: int = 1
    ) -> list[Affine]:
        """Return the network's placement for each start (3, 3), fixed µm to moving µm.

        Every further pass starts from the result of the one before. The network does not score:
        verify.
        """
        maps = self._predict_maps(fixed, moving, starts, passes)
        return [Affine(matrix, fixed.frame.space, moving.frame.space) for matrix in maps]

    def rank(
        self, fixed: Section, moving: Section, starts: Sequence[Matrix], passes: int = 1
    ) -> list[Hypothesis]:
        """Return the network's placements, best first by local NCC of the pictures it is shown."""
        view = frame_tissue(fixed, self.longest_px, square=self.square)
        target = sample_section(fixed, view, [np.eye(3)], self.device)
        similarity = LocalNCC.of(target, RADIUS_PX)
        weight = similarity.focus(torch.ones((), device=self.device))
        maps = self._predict_maps(fixed, moving, starts, passes)
        scores = [
            float(similarity(sample_section(moving, view, [matrix], self.device), weight))
            for matrix in maps
        ]
        return sort_hypotheses(
            [Hypothesis(matrix, score) for matrix, score in zip(maps, scores, strict=True)]
        )

    def _predict_maps(
        self, fixed: Section, moving: Section, starts: Sequence[Matrix], passes: int
    ) -> list[Matrix]:
        view = frame_tissue(fixed, self.longest_px, square=self.square)
        target = sample_section(fixed, view, [np.eye(3)], self.device)
        maps = list(starts)
        for _ in range(passes):
            matrices = self._predict(target, moving, view, maps)
            maps = [
                start @ _to_um(matrix, view) for start, matrix in zip(maps, matrices, strict=True)
            ]
        return maps

    def _predict(
        self, target: Tensor, moving: Section, view: Frame, maps: list[Matrix]
    ) -> list[Matrix]:
        """Return the network's (2, 3) matrices for the moving section seen through each map.

        They are computed in batches of `BATCH_PX`.
        """
        batch = max(1, BATCH_PX // (view.width * view.height))
        matrices: list[Matrix] = []
        for first in range(0, len(maps), batch):
            # Outside inference mode: sections keep their coarser copies for stages with gradients.
            pictures = sample_section(moving, view, maps[first : first + batch], self.device)
            with torch.inference_mode():
                matrices += list(self.network(target, pictures).double().cpu().numpy())
        return matrices


def _to_um(matrix: Matrix, view: Frame) -> Matrix:
    """Return a network's (2, 3) matrix, in half sides about `view`'s middle, as (3, 3) in µm."""
    unit = view.to_half_sides
    return np.asarray(np.linalg.inv(unit) @ np.vstack([matrix, [0, 0, 1]]) @ unit)
