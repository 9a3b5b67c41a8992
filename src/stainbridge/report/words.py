"""A registration in words and rounded numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from stainbridge.geometry.frame import Frame
from stainbridge.geometry.summary import affine_part, bending
from stainbridge.geometry.transform import Transform
from stainbridge.registration.result import Registration, StageRecord
from stainbridge.slides.slide import Slide

CELL_UM = 10.0  # the width of a typical cell, a measure pathologists have in mind
LABELS = {"ok": "Aligned", "fallback": "Aligned, to be used with care", "failed": "Not aligned"}


@dataclass(frozen=True)
class Remedy:
    """Something to try, and the options of `stainbridge register` for it."""

    name: str
    text: str
    options: tuple[str, ...] = ()


#: What to do about a failed registration, most helpful first.
REMEDIES = (
    Remedy(
        "Check the pair",
        "Do the pictures show sections of one block? Was the same part of them scanned?",
    ),
    Remedy(
        "Give a start",
        "Mark two or more corresponding points on each slide, or bring a transform made by hand.",
        ("--fixed-landmarks", "--moving-landmarks", "--init"),
    ),
    Remedy(
        "Leave out what is no tissue",
        "Pen marks, labels, control tissue and folds mislead: paint masks.",
        ("--fixed-mask", "--moving-mask"),
    ),
    Remedy(
        "Say the pixel size",
        "A file may give none, or a wrong one.",
        ("--fixed-mpp", "--moving-mpp"),
    ),
    Remedy("Work harder", "The most thorough preset looks further.", ("--preset accurate",)),
)


@dataclass(frozen=True)
class Fact:
    """A name and its value, both for people; `note` explains the value, or is empty."""

    name: str
    value: str
    note: str = ""


@dataclass(frozen=True)
class Verdict:
    """`tone` is the status ("ok", "fallback", "failed"), `title` says it, `sentence` explains it."""

    tone: str
    title: str
    sentence: str


@dataclass(frozen=True)
class StageRow:
    """One line of the stage table."""

    name: str
    accepted: bool
    seconds: str
    before: str
    after: str
    note: str


def verdict(registration: Registration) -> Verdict:
    """What the registration came to, in one or two sentences."""
    tone, reason = registration.status, registration.reason.strip().rstrip(".")
    title = LABELS[tone]
    if tone == "failed":
        sentence = "There is no transform."
    else:
        sentence = expected_error(registration)
    if reason:
        sentence += f" {reason[0].upper()}{reason[1:]}."
    return Verdict(tone, title, sentence)


def expected_error(registration: Registration) -> str:
    """The predicted error in a sentence: percent of the diagonal, µm or pixels, cells."""
    if not math.isfinite(registration.predicted_rtre):
        return "How far off it may be could not be predicted."
    return (
        "Corresponding points are expected to lie about "
        f"{distance(registration.predicted_um, registration.fixed)} apart (median), "
        f"{percent(registration.predicted_rtre)} of the fixed slide's diagonal"
        f"{_in_cells(registration.predicted_um, registration.fixed)}{_bound(registration)}."
    )


def _bound(registration: Registration) -> str:
    """What nine of ten stay below, where it is known."""
    if not math.isfinite(registration.bound_rtre):
        return ""
    return f"; of ten registrations that look like this one, nine stay below {percent(registration.bound_rtre)}"


def headline(registration: Registration, transform: Transform, folded_share: float) -> list[Fact]:
    """The numbers to see first."""
    affine = affine_part(transform)
    shift = bending(transform, transform.source.frame.fit(128).centres_um())
    predicted = math.isfinite(registration.predicted_rtre)
    return [
        Fact(
            "Expected error",
            percent(registration.predicted_rtre) if predicted else "unknown",
            f"of the diagonal, {distance(registration.predicted_um, registration.fixed)}"
            if predicted
            else "",
        ),
        Fact(
            "Rotation",
            f"{affine.rotation_deg:.1f}°",
            "fixed to moving" + (", after a mirror image" * affine.flip),
        ),
        Fact(
            "Flipped",
            "yes" if affine.flip else "no",
            "moving is a mirror image" if affine.flip else "",
        ),
        Fact("Scale", f"× {affine.scale:.3f}", "fixed to moving" + _unit_note(transform)),
        Fact(
            "Largest bend",
            distance(float(np.hypot(*shift.T).max()), registration.fixed),
            "beyond rotation, scale and shear",
        ),
        Fact("Folds", "none")
        if folded_share == 0
        else Fact("Folds", percent(folded_share), "of the area"),
        Fact("Time", f"{registration.seconds:.1f} s", f"{len(registration.stages)} stages"),
    ]


def slide_facts(slide: Slide) -> list[Fact]:
    """What is known of a slide."""
    frame, info = slide.frame, slide.info
    levels = ", ".join(f"{level.width} × {level.height}" for level in slide.levels[:6])
    facts = [
        Fact("File", info.path),
        Fact("Size", f"{frame.width} × {frame.height} px", _millimetres(frame)),
        Fact("Pixel size", pixel_size(frame)),
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


def stage_row(stage: StageRecord) -> StageRow:
    """A stage for the table."""
    before, after = score(stage.score_before), score(stage.score_after)
    return StageRow(stage.name, stage.accepted, f"{stage.seconds:.2f}", before, after, stage.note)


def pixel_size(frame: Frame) -> str:
    """µm per pixel, or that it is not known."""
    if not frame.calibrated:
        return "not known"
    x, y = frame.mpp
    return f"{x:.4g} µm" if math.isclose(x, y, rel_tol=1e-3) else f"{x:.4g} × {y:.4g} µm"


def distance(length_um: float, frame: Frame) -> str:
    """A length of a slide's space to two digits: µm or mm when it is calibrated, else pixels."""
    if not frame.calibrated:
        return f"{_two_digits(length_um)} px"
    return (
        f"{_two_digits(length_um)} µm"
        if length_um < 1000
        else f"{_two_digits(length_um / 1000)} mm"
    )


def percent(share: float) -> str:
    """A share of one in percent, with two significant digits at least."""
    return f"{100 * share:.2f} %" if share >= 1e-4 else f"{100 * share:.1g} %"


def score(value: float) -> str:
    """A verification score; a dash where there is none."""
    return f"{value:.4f}" if math.isfinite(value) else "–"


def _two_digits(value: float) -> str:
    return f"{float(f'{value:.2g}'):g}"


def _in_cells(length_um: float, frame: Frame) -> str:
    if not frame.calibrated:
        return ""
    cells = length_um / CELL_UM
    if cells < 1:
        return ", less than the width of a cell"
    return f", the width of about {round(cells)} cell{'s' if round(cells) > 1 else ''}"


def _millimetres(frame: Frame) -> str:
    return (
        f"{frame.size_um[0] / 1000:.2f} × {frame.size_um[1] / 1000:.2f} mm"
        if frame.calibrated
        else ""
    )


def _unit_note(transform: Transform) -> str:
    fixed, moving = (frame.calibrated for frame in (transform.source, transform.target))
    if fixed == moving:
        return ", in µm" if fixed else ", in pixels"
    return ", pixels per µm" if fixed else ", µm per pixel"
