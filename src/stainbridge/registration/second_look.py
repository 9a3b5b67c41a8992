"""The second look at two slides: by local contrast, where density did not convince.

What it shows is taken only where the registration is `ok`, and where it contradicts nothing that
the first look was sure of.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeAlias

from stainbridge.registration.result import Registration
from stainbridge.registration.sections.section import Section
from stainbridge.registration.stages.record import StageRecord

#: The fixed and the moving section; None where no tissue is found.
Sections: TypeAlias = tuple[Section | None, Section | None]
#: A look has overlooked tissue where the next one shows this many times as much.
OVERLOOKED = 1.4
#: So many pieces that fit one by one are no chance.
SEVERAL = 3


def sees_more(section: Section | None, before: Section | None) -> bool:
    """Whether a look at a slide shows much more tissue than the one before."""
    if section is None or before is None:
        return False
    return section.area_um2 > OVERLOOKED * before.area_um2


def confirm_seams(local: Sections, sections: Sections) -> Sections:
    """Return sections by local contrast with the seams that density shows, too.

    Local contrast shows borders of a compressed picture's blocks as well, and density what it took
    for tissue.
    """
    fixed, moving = (
        None if section is None or dense is None else _confirm_seam(section, dense)
        for section, dense in zip(local, sections, strict=True)
    )
    return fixed, moving


def _confirm_seam(section: Section, other: Section) -> Section:
    return replace(section, known_seam=min(section.seam, other.seam))


def choose_look(
    first: Registration, second: Registration, first_seconds: float, second_seconds: float
) -> Registration:
    """Return the second registration where it is `ok`, with one record for the one left out.

    Pieces that mostly fit one by one are not given up for fewer: local contrast may join them.
    """
    if second.status == "ok" and _count_fitting(second) >= _count_fitting(first):
        left_out = StageRecord("tissue density", False, first_seconds, 0.0, 0.0, first.reason)
        prepared, *others = second.stages
        reason = f"{second.reason}; seen by local contrast"
        return replace(second, reason=reason, stages=(prepared, left_out, *others))
    left_out = StageRecord("local contrast", False, second_seconds, 0.0, 0.0, second.reason)
    return replace(first, stages=(*first.stages, left_out), seconds=second.seconds)


def _count_fitting(result: Registration) -> int:
    """Return how many pieces fit one by one; 0 where few do, or less than half of them."""
    fitting = sum(piece.status == "ok" for piece in result.pieces)
    return fitting if fitting >= max(SEVERAL, len(result.pieces) / 2) else 0
