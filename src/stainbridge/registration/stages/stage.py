"""What a stage is, and the one function that runs one.

A stage proposes; it never judges itself. `run_stage` keeps the time, verifies the proposal,
compares it with what came before, looks for folds, and records the outcome.
"""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, ClassVar, Literal, Protocol, Self, TypeAlias

import numpy as np
import numpy.typing as npt

from stainbridge.compute import ComputeContext
from stainbridge.geometry.frame import Frame
from stainbridge.geometry.placement import place_unregistered
from stainbridge.geometry.transform import Affine, Chain, DisplacementField, Transform
from stainbridge.registration.sections.density import Masks
from stainbridge.registration.sections.section import Section
from stainbridge.registration.stages.coherence import measure_coherence
from stainbridge.registration.stages.hypothesis import Hypothesis
from stainbridge.registration.stages.record import StageRecord
from stainbridge.registration.verdict.judge import find_doubt
from stainbridge.registration.verdict.verification import (
    measure_folded_share,
    measure_score,
    shrink_region,
    verify,
)
from stainbridge.slides.slide import Slide
from stainbridge.types import Points

#: Longest side in pixels of the frame where folds are looked for.
FOLDS_PX = 512
#: Longest side in pixels of the frame that distances over the tissue are measured on.
DISTANCE_PX = 64
#: Slides lie on each other as they are where the placement moves the tissue by less than this, in
#: diagonals of the tissue.
NEAR_IDENTITY = 0.01
#: A deformation that raises the score by more than this is kept there. One scan's channels gain
#: less by following what they do not share.
LARGE_GAIN = 0.05
#: One that gains less must move tissue by this, in diagonals of the tissue. Channels of one scan,
#: and generated pictures with as much structure of their own as they share, move by up to 0.0018;
#: brain slices of two subjects by 0.0034 and more.
MIN_MOVE = 0.0025
#: And halves of windows must be displaced alike by so many standard deviations. Stains of one
#: generated section give up to 2.7, brain slices 3.6 and more.
MIN_COHERENCE = 3.0
#: A rejected deformation that moves the tissue by less than this was not needed, in diagonals of
#: the tissue.
NEEDLESS_SHARE = 0.002
#: What is said of a deformation that was rejected and not needed.
NO_DEFORMATION = "no deformation needed"

#: Takes the fraction of the stage that is done, 0 to 1.
StageProgress: TypeAlias = Callable[[float], None]
#: When a stage runs: it places the sections, deforms the placement, or refines a judged result.
Phase = Literal["placement", "deformation", "refinement"]
PHASES: tuple[Phase, ...] = ("placement", "deformation", "refinement")


@dataclass(frozen=True)
class StageConfig:
    """Base of the settings of a stage; `kind` names the stage in a pipeline file."""


@dataclass(frozen=True, eq=False)
class Problem:
    """What is registered, and within what limits: the same for every stage."""

    sections: tuple[Section, Section]
    """Fixed and moving section at working resolution."""
    slides: tuple[Slide, Slide]
    """The slides that they were read from."""
    masks: Masks
    """Masks that were handed in."""
    context: ComputeContext
    """Device, threads and seed."""
    allow_flip: bool = True
    """Whether the sections may be mirrored."""
    max_rotation_deg: float = 180.0
    """Largest rotation to search, in degrees."""
    initial_transform: Transform | None = None
    """A transform to begin at instead of a search, moving from fixed."""
    is_rigid: bool = False
    """Whether placements may turn, mirror and shift only."""

    def make_affine(self, hypothesis: Hypothesis) -> Affine:
        """Return a hypothesis as a transform between the slides."""
        fixed, moving = self.slides
        return Affine(hypothesis.matrix, fixed.frame.space, moving.frame.space)

    def measure_score(self, transform: Transform) -> float:
        """Return the verification score of a transform between the sections."""
        return measure_score(*self.sections, transform)


@dataclass(frozen=True, eq=False)
class State:
    """What the stages have reached so far."""

    problem: Problem
    candidates: tuple[Hypothesis, ...] = ()
    """Affine placements, best first; empty before one is found."""
    solution: Transform | None = None
    """The transform so far, moving from fixed."""
    score: float = 0.0
    """Verification score of the solution."""
    placement_score: float = 0.0
    """Verification score of the placement alone."""
    displacement: DisplacementField | None = None
    """Displacement, in the fixed space, to apply before the placement."""
    disagreement_um: float = float("nan")
    """Median distance between forward and backward deformation, where both were run."""
    doubt: str = ""
    """Which stage was planned and rejected although its rejection casts doubt on the result."""
    remark: str = ""
    """What a stage found that is no doubt, such as that no deformation is needed."""
    overrides: Mapping[str, StageConfig | None] = field(default_factory=dict)
    """Settings that accepted stages ask of later ones, by kind; None leaves that stage out."""
    records: tuple[StageRecord, ...] = ()
    """One record a stage, in order."""

    @property
    def placement(self) -> Affine:
        """The best affine placement."""
        return self.problem.make_affine(self.candidates[0])


class Verifier(Protocol):
    """Scores transforms; higher is better."""

    def score(self, transform: Transform) -> float:
        """Return the score of a transform, moving from fixed."""
        ...


@dataclass(frozen=True, eq=False)
class Proposal:
    """What a stage would make of a state.

    Either new placements, or a displacement to apply before what is there.
    """

    candidates: tuple[Hypothesis, ...] = ()
    """New affine placements, best first."""
    displacement: DisplacementField | None = None
    """A displacement in the fixed space."""
    replaces_displacement: bool = True
    """Whether it stands in the place of an earlier one, or is applied before the solution."""
    disagreement_um: float = float("nan")
    """Median distance between forward and backward deformation."""
    verifier: Verifier | None = None
    """What to verify with; None: the sections."""
    overrides: Mapping[str, StageConfig | None] = field(default_factory=dict)
    """What later stages should do, by kind, if this is accepted; None leaves that stage out."""


@dataclass(frozen=True, eq=False)
class Stage(ABC):
    """One step of a registration, made from its settings. Subclasses are frozen dataclasses."""

    kind: ClassVar[str]
    """The word for it in a pipeline file."""
    name: ClassVar[str]
    """The word for it in records."""
    phase: ClassVar[Phase]
    """When it runs."""
    config_type: ClassVar[type[StageConfig]]
    """The class of its settings."""
    needs_candidates: ClassVar[bool] = True
    """Whether it begins at placements that an earlier stage found."""
    cost: ClassVar[float] = 1.0
    """About how long it takes, relative to other stages: for progress."""
    margin: ClassVar[float] = 0.0
    """By how much the score must rise for a proposal to be accepted."""
    baseline: ClassVar[str] = "what came before"
    """The words for what a rejected proposal was no better than."""
    last_resort: ClassVar[bool] = False
    """Whether a first placement of this stage is taken whatever its verification says."""
    rejection_is_doubt: ClassVar[bool] = False
    """Whether its rejection casts doubt on the whole registration."""
    config: Any
    """Its settings."""

    @classmethod
    def make(cls, config: Any, context: ComputeContext) -> Self:  # noqa: ARG003 - for networks
        """Return the stage with these settings; raises `InputError` for weights it cannot load."""
        return cls(config)

    @abstractmethod
    def __call__(self, state: State, progress: StageProgress) -> Proposal | None:
        """Propose a step from `state`; None where there is nothing to propose."""


def run_stage(stage: Stage, state: State, progress: StageProgress) -> State:
    """Run one stage; return the state after it, changed where its proposal is verifiably better."""
    began = time.perf_counter()
    proposal = stage(state, progress)
    if proposal is None:
        return state
    solution = _propose_solution(state, proposal)
    verifier = proposal.verifier
    if verifier is None:
        before = state.score
        after = state.problem.measure_score(solution)
    else:
        assert state.solution is not None
        before = verifier.score(state.solution)
        after = verifier.score(solution)
    note = _find_fault(stage, state, proposal, solution, before, after)
    seconds = time.perf_counter() - began
    record = StageRecord(stage.name, not note, seconds, before, after, note, asdict(stage.config))
    return _apply_proposal(stage, state, proposal, solution, record)


def _propose_solution(state: State, proposal: Proposal) -> Transform:
    if proposal.candidates:
        return state.problem.make_affine(proposal.candidates[0])
    assert proposal.displacement is not None
    if proposal.replaces_displacement:
        return Chain((proposal.displacement, state.placement))
    assert state.solution is not None
    return Chain((proposal.displacement, state.solution))


def _find_fault(
    stage: Stage,
    state: State,
    proposal: Proposal,
    solution: Transform,
    before: float,
    after: float,
) -> str:
    """Say why a proposal is not accepted; empty where it is."""
    if not state.candidates:
        if stage.last_resort:
            return ""
        return find_doubt(verify(*state.problem.sections, solution, after))
    if proposal.displacement is not None:
        folded = measure_folded_share(solution, _fold_frame(state, proposal.displacement, proposal))
        if folded:
            return f"folds on {folded:.2%} of the slide"
        is_deformation = stage.phase == "deformation"
        if is_deformation and _is_needless(state, proposal.displacement, after - before):
            return NO_DEFORMATION
    return "" if after > before + stage.margin else f"no better than {stage.baseline}"


def _is_needless(state: State, displacement: DisplacementField, gain: float) -> bool:
    """Return whether a deformation that raises the score by `gain` is not needed.

    It is not where it moves next to nothing and gains nothing. Where slides lie on each other as
    they are, it must gain much, or move tissue as both halves of windows ask for.
    """
    if not gain > 0:
        return _is_near_identity(state) or _moves_less(state, displacement, NEEDLESS_SHARE)
    if gain > LARGE_GAIN or not _is_near_identity(state):
        return False
    if _moves_less(state, displacement, MIN_MOVE):
        return True
    return measure_coherence(*state.problem.sections, state.placement) < MIN_COHERENCE


def _moves_less(state: State, displacement: DisplacementField, share: float) -> bool:
    """Return whether a displacement moves the fixed tissue by less than a share of its diagonal."""
    points = _spread_points(state)
    moved_um = np.hypot(*displacement.at(points).T)
    return _is_below(moved_um, share, state)


def _is_near_identity(state: State) -> bool:
    """Return whether the slides lie on each other as their files do."""
    fixed, moving = state.problem.slides
    identity = place_unregistered(fixed.frame.space, moving.frame.space)
    points = _spread_points(state)
    apart_um = np.hypot(*(identity.inverse()(state.placement(points)) - points).T)
    return _is_below(apart_um, NEAR_IDENTITY, state)


def _spread_points(state: State) -> Points:
    """Return points (N, 2) in µm all over the fixed tissue."""
    section = state.problem.sections[0]
    frame = section.frame.fit(DISTANCE_PX)
    return frame.centres_um()[shrink_region(section, frame).ravel()]


def _is_below(distances_um: npt.NDArray[np.float64], share: float, state: State) -> bool:
    """Return whether the root mean square of distances is below a share of the tissue."""
    typical_um = float(np.sqrt(np.square(distances_um).mean())) if distances_um.size else 0.0
    return typical_um < share * state.problem.sections[0].tissue_um


def _fold_frame(state: State, displacement: DisplacementField, proposal: Proposal) -> Frame:
    """Return the frame to look for folds on: twice as fine where it refines a solution."""
    if proposal.replaces_displacement:
        return state.problem.sections[0].frame.fit(FOLDS_PX)
    return displacement.grid.fit(2 * FOLDS_PX)


def _apply_proposal(
    stage: Stage, state: State, proposal: Proposal, solution: Transform, record: StageRecord
) -> State:
    disagreement_um = proposal.disagreement_um
    if math.isnan(disagreement_um):  # this stage did not measure it
        disagreement_um = state.disagreement_um
    state = replace(state, records=(*state.records, record), disagreement_um=disagreement_um)
    if record.note == NO_DEFORMATION:
        return replace(state, remark=NO_DEFORMATION)
    if not record.accepted:
        doubt = f"{stage.name} stage rejected: {record.note}" if stage.rejection_is_doubt else ""
        return replace(state, doubt=state.doubt or doubt)
    state = replace(
        state,
        solution=solution,
        score=_measure_sections(state, proposal, solution, record),
        overrides={**state.overrides, **proposal.overrides},
    )
    if proposal.candidates:
        return replace(state, candidates=proposal.candidates, placement_score=record.score_after)
    if not proposal.replaces_displacement:
        return state
    return replace(state, displacement=proposal.displacement)


def _measure_sections(
    state: State, proposal: Proposal, solution: Transform, record: StageRecord
) -> float:
    """Return the solution's score between the sections, whatever the proposal was verified with."""
    if proposal.verifier is None:
        return record.score_after
    return state.problem.measure_score(solution)
