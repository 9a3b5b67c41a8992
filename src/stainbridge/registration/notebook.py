"""A registration in a notebook: its verdict and a picture, as HTML that needs nothing else."""

from __future__ import annotations

from base64 import b64encode
from html import escape
from io import BytesIO
from typing import TYPE_CHECKING

from stainbridge.errors import InputError

if TYPE_CHECKING:
    from stainbridge.registration.result import Registration

#: Colour of the bar beside each status.
STATUS_COLOURS = {"ok": "#2e7d32", "fallback": "#b26a00", "failed": "#b3261e"}


def registration_html(registration: Registration, longest_px: int) -> str:
    """Return the verdict in words and, where the slides can be read, their overlay."""
    colour = STATUS_COLOURS[registration.status]
    words = escape(repr(registration)[1:-1])
    reason = escape(registration.reason)
    return (
        f'<div style="border-left: 6px solid {colour}; padding-left: 12px">'
        f"<p><b>{words}</b><br>{reason}</p>{_overlay_html(registration, longest_px)}</div>"
    )


def _overlay_html(registration: Registration, longest_px: int) -> str:
    if registration.status == "failed":
        return ""
    from PIL import Image

    try:
        picture = registration.overlay(longest_px)
    except InputError as error:
        return f"<p>No picture: {escape(str(error))}</p>"
    buffer = BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    data = b64encode(buffer.getvalue()).decode("ascii")
    return f'<img alt="both slides, overlaid" src="data:image/png;base64,{data}">'
