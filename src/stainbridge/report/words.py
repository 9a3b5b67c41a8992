"""Describe a registration in words and rounded numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stainbridge.geometry.frame import Frame
from stainbridge.geometry.piecewise import Piecewise
from stainbridge.geometry.summary import find_affine_part, measure_largest_bend
from stainbridge.geometry.transform import Transform
from stainbridge.registration.result import Registration
from stainbridge.registration.stages.record import StageRecord
from stainbridge.slides.slide import Slide

#: µm: the width of a typical cell, a length that pathologists know by sight.
CELL_UM = 10.0
#: The title of a report by status.
LABELS = {"ok": "Aligned", "fallback": "Aligned, to be used with care", "failed": "Not aligned"}


@dataclass(frozen=True)
class Remedy:
    """Something to try after a failed registration."""

    name: str
    """A short title."""
    text: str
    """What to do, in one or two sentences."""
    options: tuple[str, ...] = ()
    """The options of `stainbridge register` for it."""


#: What to do about a failed registration, most helpful first.
REMEDIES = (
    Remedy(
        "Check the pair",
        "Do the pictures show sections of one block? Was the same part of them scanned?",
    ),
    Remedy(
        "Give an initial transform",
        "Mark two or more corresponding points on each slide, or bring a transform made by hand.",
        ("--fixed-landmarks", "--moving-landmarks", "--init"),
    ),
    Remedy(
        "Mask what is not tissue",
        "Pen marks, labels, control tissue and folds mislead the search: paint masks.",
        ("--fixed-mask", "--moving-mask"),
    ),
    Remedy(
        "Give the pixel size",
        "A file may state none, or a wrong one.",
        ("--fixed-mpp", "--moving-mpp"),
    ),
    Remedy(
        "Search more thoroughly",
        "The preset accurate tries more candidates.",
        ("--preset accurate",),
    ),
)


@dataclass(frozen=True)
class Fact:
    """A name and its value, both for people."""

    name: str
    """What the value is of."""
    value: str
    """The value with its unit."""
    note: str = ""
    """What explains the value, or empty."""


@dataclass(frozen=True)
class StatusText:
    """The status of a registration in words."""

    tone: str
    """The status itself: "ok", "fallback" or "failed"."""
    title: str
    """The status as a title."""
    sentence: str
    """What explains the status, in one or two sentences."""


@dataclass(frozen=True)
class StageRow:
    """One line of the stage table, in words."""

    name: str
    """The stage's name."""
    result: str
    """What became of its result: kept, not kept or discarded."""
    seconds: str
    """Its wall time."""
    before: str
    """The verification score before it."""
    after: str
    """The verification score after it."""
    note: str
    """What the stage itself reported."""


def describe_status(registration: Registration) -> StatusText:
    """Describe how the registration ended, in one or two sentences."""
    tone = registration.status
    if tone == "failed":
        sentence = "There is no transform."
    else:
        sentence = describe_expected_error(registration)
    reason = registration.reason.strip().rstrip(".")
    if reason:
        sentence += f" {reason[0].upper()}{reason[1:]}."
    return StatusText(tone, LABELS[tone], sentence)


def describe_expected_error(registration: Registration) -> str:
    """Describe the predicted error: µm or pixels, percent of the tissue, and widths of a cell."""
    if not math.isfinite(registration.predicted_rtre):
        return "How far off it may be could not be predicted."
    predicted_um = registration.predicted_um
    return (
        "Corresponding points are expected to lie about "
        f"{format_length(predicted_um, registration.fixed)} apart (median), "
        f"{_share_clause(registration)}"
        f"{_cell_clause(predicted_um, registration.fixed)}{_bound_clause(registration)}."
    )


def _bound_clause(registration: Registration) -> str:
    """Return the bound that nine of ten errors stay below, where it is known."""
    if not math.isfinite(registration.bound_rtre):
        return ""
    bound = format_length(registration.bound_um, registration.fixed)
    if math.isfinite(registration.tissue_um):
        bound += f" ({format_percent(registration.bound_tissue_rtre)} of the tissue's diagonal)"
    return f"; of ten registrations that look like this one, nine stay below {bound}"


def _share_clause(registration: Registration) -> str:
    """Return the predicted error in percent of the tissue, or of the slide where that is known."""
    if math.isfinite(registration.tissue_um):
        return f"{format_percent(registration.predicted_tissue_rtre)} of the tissue's diagonal"
    return f"{format_percent(registration.predicted_rtre)} of the fixed slide's diagonal"


def headline_facts(
    registration: Registration, transform: Transform, folded_share: float
) -> list[Fact]:
    """Return the numbers that the report shows first."""
    affine = find_affine_part(transform)
    is_piecewise = isinstance(transform, Piecewise)
    of_largest = "of the largest piece" * is_piecewise
    is_predicted = math.isfinite(registration.predicted_rtre)
    return [
        Fact(
            "Expected error",
            format_length(registration.predicted_um, registration.fixed)
            if is_predicted
            else "unknown",
            _share_clause(registration) if is_predicted else "",
        ),
        Fact(
            "Rotation",
            f"{affine.rotation_deg:.1f}°",
            _join_notes("fixed to moving", "after a mirror image" * affine.flip, of_largest),
        ),
        Fact(
            "Flipped",
            "yes" if affine.flip else "no",
            _join_notes("moving is a mirror image" * affine.flip, of_largest),
        ),
        Fact(
            "Scale",
            f"× {affine.scale:.3f}",
            _join_notes("fixed to moving", _unit_note(transform), of_largest),
        ),
        Fact(
            "Largest bend",
            format_length(measure_largest_bend(transform), registration.fixed),
            _join_notes("beyond rotation, scale and shear", "inside pieces" * is_piecewise),
        ),
        Fact("Folds", "none")
        if folded_share == 0
        else Fact(
            "Folds",
            format_percent(folded_share),
            "of the pieces" if is_piecewise else "of the area",
        ),
        Fact("Time", format_seconds(registration.seconds), f"{len(registration.stages)} stages"),
    ]


def slide_facts(slide: Slide) -> list[Fact]:
    """Return what is known of a slide."""
    frame = slide.frame
    info = slide.info
    levels = ", ".join(f"{level.width} × {level.height}" for level in slide.levels[:6])
    facts = [
        Fact("File", Path(info.path).name),
        Fact("Size", f"{frame.width} × {frame.height} px", _size_in_mm(frame)),
        Fact("Pixel size", format_pixel_size(frame)),
        Fact("Levels", str(len(slide.levels)), levels),
        Fact(
            "Format",
            info.format,
            f"read by {info.reader}" + (f", {info.vendor}" if info.vendor else ""),
        ),
        Fact(
            "Channels",
            ", ".join(channel.name for channel in info.channels),
            str(np.dtype(info.dtype)),
        ),
    ]
    if slide.stain:
        facts.append(Fact("Stain", slide.stain))
    return facts


def stage_row(stage: StageRecord, *, discarded: bool = False) -> StageRow:
    """Return a stage as a line of the table; a failed registration discards all of them."""
    return StageRow(
        stage.name,
        "discarded" if discarded else "kept" if stage.accepted else "not kept",
        "–" if math.isnan(stage.seconds) else f"{stage.seconds:.2f}",
        format_score(stage.score_before),
        format_score(stage.score_after),
        stage.note,
    )


def format_pixel_size(frame: Frame) -> str:
    """Return the µm per pixel, or that they are not known."""
    if not frame.calibrated:
        return "not known"
    x, y = frame.mpp
    return f"{x:.4g} µm" if math.isclose(x, y, rel_tol=1e-3) else f"{x:.4g} × {y:.4g} µm"


def format_length(length_um: float, frame: Frame) -> str:
    """Return a length to two digits: µm or mm where the slide is calibrated, else pixels."""
    if not frame.calibrated:
        return f"{_two_digits(length_um)} px"
    return (
        f"{_two_digits(length_um)} µm"
        if length_um < 1000
        else f"{_two_digits(length_um / 1000)} mm"
    )


def format_seconds(seconds: float) -> str:
    """Return a duration, such as `3.2 s`; a dash where none is recorded."""
    return "–" if math.isnan(seconds) else f"{seconds:.1f} s"


def format_percent(share: float) -> str:
    """Return a share of 1 in percent; small ones keep one significant digit."""
    return f"{100 * share:.2f} %" if share >= 1e-4 else f"{100 * share:.1g} %"


def format_score(value: float) -> str:
    """Return a verification score, or a dash where there is none."""
    return f"{value:.4f}" if math.isfinite(value) else "–"


def _two_digits(value: float) -> str:
    return f"{float(f'{value:.2g}'):g}"


def _cell_clause(length_um: float, frame: Frame) -> str:
    if not frame.calibrated:
        return ""
    cells = length_um / CELL_UM
    if cells < 1:
        return ", less than the width of a cell"
    return f", the width of about {round(cells)} cell{'s' if round(cells) > 1 else ''}"


def _size_in_mm(frame: Frame) -> str:
    return (
        f"{frame.size_um[0] / 1000:.2f} × {frame.size_um[1] / 1000:.2f} mm"
        if frame.calibrated
        else ""
    )


def _unit_note(transform: Transform) -> str:
    fixed_calibrated = transform.source.calibrated
    moving_calibrated = transform.target.calibrated
    if fixed_calibrated == moving_calibrated:
        return "in µm" if fixed_calibrated else "in pixels"
    return "pixels per µm" if fixed_calibrated else "µm per pixel"


def _join_notes(*notes: str) -> str:
    """Return the notes that are not empty, with commas between them."""
    return ", ".join(filter(None, notes))
