"""A registration in a notebook, as HTML that needs nothing else."""

from __future__ import annotations

from base64 import b64encode
from html import escape
from io import BytesIO

import numpy as np
import numpy.typing as npt

#: Colour of the bar beside each status.
STATUS_COLOURS = {"ok": "#2e7d32", "fallback": "#b26a00", "failed": "#b3261e"}


def format_verdict(status: str, words: str, reason: str, picture: str) -> str:
    """Return a verdict beside a bar of its status's colour, and a picture's HTML below."""
    return (
        f'<div style="border-left: 6px solid {STATUS_COLOURS[status]}; padding-left: 12px">'
        f"<p><b>{escape(words)}</b><br>{escape(reason)}</p>{picture}</div>"
    )


def format_picture(pixels: npt.NDArray[np.uint8], description: str) -> str:
    """Return a picture (H, W, 3) as an image with its data inside."""
    from PIL import Image

    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    data = b64encode(buffer.getvalue()).decode("ascii")
    return f'<img alt="{escape(description)}" src="data:image/png;base64,{data}">'
