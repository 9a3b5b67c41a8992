"""Pieces of tissue, and tissue that does not fit: shapes over pictures and lines of a table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from stainbridge.geometry.frame import Frame
from stainbridge.registration.pieces.record import PieceRecord
from stainbridge.registration.result import Registration
from stainbridge.report.words import format_length
from stainbridge.types import Box

#: Colours of pieces with a partner, in turn.
COLOURS = ("#d62728", "#1f77b4", "#2ca02c", "#9467bd", "#e07000", "#0a9aa8", "#b5179e", "#7f5539")
#: Colour of pieces without one.
ALONE_COLOUR = "#6b7280"
#: What is said of each status.
STATUS_WORDS = {
    "ok": "fits",
    "fallback": "in doubt",
    "failed": "does not fit",
    "alone": "without partner",
}


@dataclass(frozen=True)
class Shape:
    """A box over a picture."""

    path: str
    """The `d` attribute of its SVG path."""
    colour: str
    """Its colour."""
    label: str
    """What is written in its corner."""
    left: float
    """Where its label begins, in pixels of the picture."""
    top: float
    """Where its label begins, in pixels of the picture."""


@dataclass(frozen=True)
class PieceRow:
    """One line of the table of pieces."""

    name: str
    """Slide and number."""
    colour: str
    """Its colour over the pictures."""
    partner: str
    """The partner's name, or a dash."""
    status: str
    """`ok`, `fallback`, `failed` or `alone`."""
    result: str
    """The status in words."""
    share: str
    """Its share of the slide's tissue."""
    error: str
    """Expected error, or a dash."""
    reason: str
    """Why."""


def list_pieces(registration: Registration) -> list[PieceRow]:
    """Return one line a piece of tissue; none where each slide has one."""
    return [
        PieceRow(
            name=piece.name,
            colour=colour,
            partner=piece.partner or "–",
            status=piece.status,
            result=STATUS_WORDS[piece.status],
            share=f"{piece.share:.0%}",
            error=_format_error(piece, registration.fixed),
            reason=piece.reason,
        )
        for piece, colour in _colour_pieces(registration.pieces)
    ]


def outline_pieces(registration: Registration, side: str, view: Frame) -> list[Shape]:
    """Return the boxes of pieces over the picture of one slide, "fixed" or "moving"."""
    shapes = []
    for piece, colour in _colour_pieces(registration.pieces):
        if piece.side == side:
            shapes.append(_make_shape(piece.box_px, view, colour, piece.name))
        elif piece.partner is not None and piece.partner_box_px is not None:
            shapes.append(_make_shape(piece.partner_box_px, view, colour, piece.partner))
    return shapes


def outline_misfit(registration: Registration, view: Frame) -> str:
    """Return the tissue that would fit better elsewhere as one SVG path; empty where none is."""
    boxes = () if registration.misfit is None else registration.misfit.boxes_px
    return "".join(_draw_box(_scale_box(box, view)) for box in boxes)


def describe_misfit(registration: Registration) -> str:
    """Say how much of the tissue would fit better elsewhere; empty where none would."""
    misfit = registration.misfit
    if misfit is None or not misfit.boxes_px:
        return ""
    return f"{misfit.share:.0%} of the fixed tissue would fit better elsewhere."


def _colour_pieces(pieces: Sequence[PieceRecord]) -> list[tuple[PieceRecord, str]]:
    return [
        (piece, ALONE_COLOUR if piece.partner is None else COLOURS[number % len(COLOURS)])
        for number, piece in enumerate(pieces)
    ]


def _format_error(piece: PieceRecord, frame: Frame) -> str:
    return "–" if math.isnan(piece.predicted_um) else format_length(piece.predicted_um, frame)


def _make_shape(box_px: Box, view: Frame, colour: str, label: str) -> Shape:
    box = _scale_box(box_px, view)
    return Shape(_draw_box(box), colour, label, box[0], box[1])


def _scale_box(box_px: Box, view: Frame) -> Box:
    """Return a box in full-resolution pixels as one in pixels of the picture."""
    full = view.space.frame
    across, down = full.width / view.width, full.height / view.height
    left, top, right, bottom = box_px
    return left / across, top / down, right / across, bottom / down


def _draw_box(box: Box) -> str:
    left, top, right, bottom = box
    return f"M{left:.1f} {top:.1f}H{right:.1f}V{bottom:.1f}H{left:.1f}Z"
