"""What registers a pair: whole pipelines, and methods that begin at a pre-alignment.

CycGANRegNet aligns both pictures by a global transform first, and compares what its networks, other
networks and elastix add to it. So here too: every method but stainbridge's own presets begins where
the search and the affine stage of the preset `default` end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias

from stainbridge.evaluate.methods.alignment import Align, Alignment, Method
from stainbridge.evaluate.methods.unregistered import align_unregistered
from stainbridge.evaluate.synthesis.row import IDENTITY
from stainbridge.geometry.transform import Affine, DisplacementField, Transform
from stainbridge.registration.config import DeformableConfig, RegisterConfig
from stainbridge.registration.pipeline import register_slides
from stainbridge.registration.stages.folds import repair_folds
from stainbridge.registration.stages.stage import FOLDS_PX
from stainbridge.slides.slide import Slide
from stainbridge.slides.warped import WarpedSlide

#: Fixed slide, moving slide and pre-alignment in, alignment out; None before there is one.
AlignFrom: TypeAlias = Callable[[Slide, Slide, Affine | None], Alignment]
#: Finds the displacement, in the fixed space, to apply before a placement.
FindField: TypeAlias = Callable[[Slide, Slide, Affine], DisplacementField]

#: The name of the pre-alignment alone.
AFFINE = "affine"
#: What pre-aligns: the preset `default` up to its affine stage.
PRE_ALIGNMENT = RegisterConfig.preset("default").without_stage(DeformableConfig)


@dataclass(frozen=True, eq=False)
class SynthesisMethod:
    """A registration method of the comparison."""

    name: str
    """What tables call it."""
    align: AlignFrom
    """Aligns a pair."""
    begins_aligned: bool
    """Whether it begins at the pre-alignment."""
    settings: dict[str, Any] = field(default_factory=dict)
    """What rows depend on: other settings are another method."""


def pre_align(fixed: Slide, moving: Slide) -> Alignment:
    """Return the global alignment of a pair, as the search and the affine stage find it."""
    registration = register_slides(fixed, moving, PRE_ALIGNMENT)
    return Alignment(registration.solution, registration.status, registration.reason)


def identity() -> SynthesisMethod:
    """Return the method that registers nothing."""
    return SynthesisMethod(
        IDENTITY, lambda fixed, moving, _: align_unregistered(fixed, moving), begins_aligned=False
    )


def affine() -> SynthesisMethod:
    """Return the pre-alignment alone."""
    return SynthesisMethod(
        AFFINE,
        lambda _fixed, _moving, placement: Alignment(placement),
        begins_aligned=True,
        settings={"pre_alignment": PRE_ALIGNMENT.to_dict()},
    )


def whole_pipeline(method: Method) -> SynthesisMethod:
    """Return a method that searches for itself and takes the slides as they are."""
    align = method.load()
    return SynthesisMethod(
        method.name,
        lambda fixed, moving, _: align(fixed, moving),
        begins_aligned=False,
        settings=method.settings,
    )


def after_pre_alignment(method: Method) -> SynthesisMethod:
    """Return a method that is shown the moving slide as the pre-alignment warps it."""
    return SynthesisMethod(
        method.name,
        partial(_align_warped, method.load()),
        begins_aligned=True,
        settings={"pre_alignment": PRE_ALIGNMENT.to_dict(), **method.settings},
    )


def network(name: str, find_field: FindField, settings: dict[str, Any]) -> SynthesisMethod:
    """Return a trained network that deforms after the pre-alignment.

    Its field is taken as it is, few folds repaired: nothing rejects it.
    """
    return SynthesisMethod(
        name,
        partial(_align_by_field, find_field),
        begins_aligned=True,
        settings={"pre_alignment": PRE_ALIGNMENT.to_dict(), **settings},
    )


def _align_warped(align: Align, fixed: Slide, moving: Slide, placement: Affine | None) -> Alignment:
    assert placement is not None
    result = align(fixed, WarpedSlide(moving, placement))
    if result.transform is None:
        return result
    return Alignment(_join(result.transform, placement), result.status, result.reason)


def _align_by_field(
    find_field: FindField, fixed: Slide, moving: Slide, placement: Affine | None
) -> Alignment:
    assert placement is not None
    displacement = find_field(fixed, moving, placement)
    repaired = repair_folds(displacement, fixed.frame.fit(FOLDS_PX))
    return Alignment(_join(repaired, placement))


def _join(within_fixed: Transform, placement: Affine) -> Transform:
    """Return a map within the fixed space followed by the placement."""
    return within_fixed.then(placement)
