"""A slide in one line, and as HTML for a notebook."""

from __future__ import annotations

from base64 import b64encode
from html import escape
from io import BytesIO
from pathlib import Path

from stainbridge.errors import InputError
from stainbridge.slides.slide import Slide

#: Longer side of the picture in a notebook, in pixels.
THUMBNAIL_PX = 320


class Described:
    """Gives a slide a one-line `repr`, and facts and a thumbnail in a notebook."""

    def __repr__(self: Slide) -> str:
        return describe_slide(self)

    def _repr_html_(self: Slide) -> str:
        return slide_html(self)


def describe_slide(slide: Slide) -> str:
    """Return class, file name, size, pixel size, stain and reader in one line."""
    facts = ", ".join(_facts(slide).values())
    return f"<{type(slide).__name__} {Path(slide.info.path).name!r}: {facts}>"


def slide_html(slide: Slide) -> str:
    """Return a table of facts and a thumbnail; the page needs nothing else.

    The thumbnail is read now, at 320 pixels at most. Where it cannot be read the reason is shown.
    """
    rows = {"file": Path(slide.info.path).name, **_facts(slide), **_warnings(slide)}
    cells = "".join(
        f"<tr><th style='text-align:left'>{escape(key)}</th>"
        f"<td style='text-align:left'>{escape(value)}</td></tr>"
        for key, value in rows.items()
    )
    return (
        f"<div><b>{type(slide).__name__}</b><br>{_thumbnail_html(slide)}"
        f"<table>{cells}</table></div>"
    )


def _facts(slide: Slide) -> dict[str, str]:
    frame = slide.frame
    sizes = dict.fromkeys(f"{mpp:.4g}" for mpp in frame.mpp)
    return {
        "size": f"{frame.width} x {frame.height} px",
        "pixel size": f"{' x '.join(sizes)} µm/px" if frame.calibrated else "no pixel size",
        **({} if slide.stain is None else {"stain": slide.stain}),
        "channels": "RGB" if slide.info.is_rgb else _count(len(slide.info.channels), "channel"),
        "reader": slide.info.reader,
    }


def _warnings(slide: Slide) -> dict[str, str]:
    return {f"warning {number}": text for number, text in enumerate(slide.info.warnings, 1)}


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _thumbnail_html(slide: Slide) -> str:
    import PIL.Image

    from stainbridge.imaging.pictures import render_rgb

    try:
        picture = render_rgb(slide.read(slide.frame.fit(THUMBNAIL_PX)))
    except InputError as error:
        return f"<p>{escape(str(error))}</p>"
    buffer = BytesIO()
    PIL.Image.fromarray(picture).save(buffer, "PNG")
    data = b64encode(buffer.getvalue()).decode("ascii")
    height, width = picture.shape[:2]
    return f'<img src="data:image/png;base64,{data}" width="{width}" height="{height}">'
