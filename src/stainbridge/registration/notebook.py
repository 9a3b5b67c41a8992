"""A registration in a notebook, as HTML that needs nothing else."""

from __future__ import annotations

from base64 import b64encode
from html import escape
from importlib.metadata import entry_points
from io import BytesIO
from typing import Protocol, cast

import numpy as np
import numpy.typing as npt

from stainbridge.errors import InputError

#: Group of the entry points of viewers: a room above shows what this one made.
VIEWERS = "stainbridge.viewers"
#: The name of the entry point of the viewer in a browser.
BROWSER_VIEWER = "browser"
#: Colour of the bar beside each status.
STATUS_COLOURS = {"ok": "#2e7d32", "fallback": "#b26a00", "failed": "#b3261e"}


class RunningView(Protocol):
    """A view that is open until it is closed; shown in a notebook it is a link."""

    @property
    def link(self) -> str:
        """Where to look; it holds the key."""

    def close(self) -> None:
        """Stop serving."""


class Viewer(Protocol):
    """Opens a view of a registration."""

    def __call__(self, registration: object, *, port: int | None, browser: bool) -> RunningView:
        """Serve a view and return at once."""


def find_viewer() -> Viewer:
    """Return the viewer in a browser; raises `InputError` where none is installed."""
    found = {point.name: point for point in entry_points(group=VIEWERS)}
    if BROWSER_VIEWER not in found:
        raise InputError("no viewer is installed", remedy="install stainbridge again")
    return cast(Viewer, found[BROWSER_VIEWER].load())


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
