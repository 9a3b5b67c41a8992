"""Draw the picture of docs/results/verdict.md: ROC curves, and predicted against true errors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont

Values = npt.NDArray[np.float64]
#: Side of a panel and margin around it in pixels.
SIDE = 560
MARGIN = 90
#: RGB colours of the sets.
COLOURS = {"generated": (0, 114, 178), "real": (213, 94, 0)}
#: RGB of text and axes, and of grid lines.
INK = (40, 40, 40)
GRID = (215, 215, 215)
#: rTREs at the ends of the axes.
LOWEST = 5e-4
HIGHEST = 1.0
#: rTREs with a tick.
DECADES = (0.001, 0.01, 0.1, 1.0)


def draw(
    path: Path, curves: dict[str, tuple[Values, Values]], points: dict[str, tuple[Values, Values]]
) -> None:
    """Draw both panels.

    `curves` are, by set, the share of false alarms and of bad registrations found; `points` the
    predicted and the true rTRE.
    """
    image = PIL.Image.new("RGB", (2 * SIDE + 3 * MARGIN, SIDE + 2 * MARGIN), "white")
    pen = PIL.ImageDraw.Draw(image)
    shares = {f"{share:g}": share for share in (0.0, 0.25, 0.5, 0.75, 1.0)}
    _axes(pen, MARGIN, shares, "good registrations called bad", "bad registrations found")
    for number, (name, (x, y)) in enumerate(curves.items()):
        colour = COLOURS[name.split(":")[0]]
        line = [_to_pixels(MARGIN, *point) for point in zip(x, y, strict=True)]
        pen.line(line, fill=colour, width=4)
        pen.text((MARGIN + 90, MARGIN + SIDE - 70 + 28 * number), name, fill=colour, font=_font(20))
    left = 2 * MARGIN + SIDE
    ticks = {f"{value:g}": float(_log_scale(np.array(value))) for value in DECADES}
    _axes(pen, left, ticks, "predicted median rTRE", "true median rTRE")
    pen.line([_to_pixels(left, 0, 0), _to_pixels(left, 1, 1)], fill=GRID, width=3)
    for name, (predicted, true) in points.items():
        for point in zip(_log_scale(predicted), _log_scale(true), strict=True):
            x, y = _to_pixels(left, *point)
            pen.ellipse((x - 4, y - 4, x + 4, y + 4), outline=COLOURS[name], width=2)
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, optimize=True)


def _axes(
    pen: PIL.ImageDraw.ImageDraw, left: int, ticks: dict[str, float], below: str, beside: str
) -> None:
    for label, share in ticks.items():
        x, y = _to_pixels(left, share, 0)
        across, down = _to_pixels(left, 0, share)
        pen.line([(x, MARGIN), (x, MARGIN + SIDE)], fill=GRID)
        pen.line([(left, down), (left + SIDE, down)], fill=GRID)
        pen.text((x, y + 8), label, fill=INK, font=_font(18), anchor="ma")
        pen.text((across - 8, down), label, fill=INK, font=_font(18), anchor="rm")
    pen.rectangle((left, MARGIN, left + SIDE, MARGIN + SIDE), outline=INK)
    pen.text((left + SIDE / 2, MARGIN + SIDE + 40), below, fill=INK, font=_font(20), anchor="ma")
    pen.text((left, MARGIN - 14), beside, fill=INK, font=_font(20), anchor="ls")


def _to_pixels(left: int, x: float, y: float) -> tuple[float, float]:
    return left + x * SIDE, MARGIN + (1 - y) * SIDE


def _log_scale(rtre: Values) -> Values:
    """Return places on a logarithmic axis, 0 to 1."""
    return np.asarray(np.log(np.clip(rtre, LOWEST, HIGHEST) / LOWEST) / np.log(HIGHEST / LOWEST))


def _font(size: int) -> PIL.ImageFont.FreeTypeFont | PIL.ImageFont.ImageFont:
    return PIL.ImageFont.load_default(size)
