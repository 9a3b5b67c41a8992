"""The picture of docs/verdict.md: ROC curves, and what was predicted beside what was true."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont

Values = npt.NDArray[np.float64]
SIDE, MARGIN = 560, 90
COLOURS = {"generated": (0, 114, 178), "real": (213, 94, 0)}
INK, FAINT = (40, 40, 40), (215, 215, 215)
LOWEST, HIGHEST = 5e-4, 1.0
DECADES = (0.001, 0.01, 0.1, 1.0)


def draw(
    path: Path, curves: dict[str, tuple[Values, Values]], points: dict[str, tuple[Values, Values]]
) -> None:
    """`curves`: share of false alarms and of bad ones found; `points`: predicted and true rTRE; by
    set.
    """
    image = PIL.Image.new("RGB", (2 * SIDE + 3 * MARGIN, SIDE + 2 * MARGIN), "white")
    pen = PIL.ImageDraw.Draw(image)
    shares = {f"{share:g}": share for share in (0.0, 0.25, 0.5, 0.75, 1.0)}
    _axes(pen, MARGIN, shares, "good registrations called bad", "bad registrations found")
    for number, (name, (x, y)) in enumerate(curves.items()):
        colour = COLOURS[name.split(":")[0]]
        pen.line([_place(MARGIN, *at) for at in zip(x, y, strict=True)], fill=colour, width=4)
        pen.text((MARGIN + 90, MARGIN + SIDE - 70 + 28 * number), name, fill=colour, font=_font(20))
    left = 2 * MARGIN + SIDE
    ticks = {f"{value:g}": float(_scaled(np.array(value))) for value in DECADES}
    _axes(pen, left, ticks, "predicted median rTRE", "true median rTRE")
    pen.line([_place(left, 0, 0), _place(left, 1, 1)], fill=FAINT, width=3)
    for name, (predicted, true) in points.items():
        for at in zip(_scaled(predicted), _scaled(true), strict=True):
            x, y = _place(left, *at)
            pen.ellipse((x - 4, y - 4, x + 4, y + 4), outline=COLOURS[name], width=2)
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, optimize=True)


def _axes(
    pen: PIL.ImageDraw.ImageDraw, left: int, ticks: dict[str, float], below: str, beside: str
) -> None:
    for words, at in ticks.items():
        (x, y), (across, down) = _place(left, at, 0), _place(left, 0, at)
        pen.line([(x, MARGIN), (x, MARGIN + SIDE)], fill=FAINT)
        pen.line([(left, down), (left + SIDE, down)], fill=FAINT)
        pen.text((x, y + 8), words, fill=INK, font=_font(18), anchor="ma")
        pen.text((across - 8, down), words, fill=INK, font=_font(18), anchor="rm")
    pen.rectangle((left, MARGIN, left + SIDE, MARGIN + SIDE), outline=INK)
    pen.text((left + SIDE / 2, MARGIN + SIDE + 40), below, fill=INK, font=_font(20), anchor="ma")
    pen.text((left, MARGIN - 14), beside, fill=INK, font=_font(20), anchor="ls")


def _place(left: int, x: float, y: float) -> tuple[float, float]:
    return left + x * SIDE, MARGIN + (1 - y) * SIDE


def _scaled(rtre: Values) -> Values:
    """Logarithmic, 0 to 1."""
    return np.asarray(np.log(np.clip(rtre, LOWEST, HIGHEST) / LOWEST) / np.log(HIGHEST / LOWEST))


def _font(size: int) -> PIL.ImageFont.FreeTypeFont | PIL.ImageFont.ImageFont:
    return PIL.ImageFont.load_default(size)
