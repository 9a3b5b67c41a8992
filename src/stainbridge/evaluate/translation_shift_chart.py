"""The metric-versus-shift curve as SVG: a panel a measure, with a line for each model's score."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from stainbridge.evaluate.curves import COLOURS, DASHES
from stainbridge.evaluate.translation import MeanScores
from stainbridge.evaluate.translation_shifts import ShiftScores
from stainbridge.whole import whole_file

#: Size of a panel in pixels.
PANEL_WIDTH = 300
PANEL_HEIGHT = 240
#: Margins of a panel's axes in pixels.
LEFT = 48
RIGHT = 12
TOP = 26
BOTTOM = 40
#: Height of a line of the legend in pixels.
LEGEND_PX = 18
#: Most ticks of a measure's axis.
TICKS = 6
#: What the axes are called.
SHIFT_LABEL = "shift of the real target, px"


def write_shift_chart(
    path: Path,
    curve: Sequence[ShiftScores],
    means: Sequence[MeanScores],
    measures: Mapping[str, str],
) -> None:
    """Write the SVG; `measures` are names of scores and their headings.

    Shifts are drawn at equal distances. Scores that are infinite, as the PSNR without a shift, are
    left out.
    """
    width = PANEL_WIDTH * len(measures)
    height = PANEL_HEIGHT + LEGEND_PX * (len(means) + 1)
    panels = [
        f'<g transform="translate({PANEL_WIDTH * number},0)">'
        f"{_draw_panel(curve, means, name, heading)}</g>"
        for number, (name, heading) in enumerate(measures.items())
    ]
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" font-family="sans-serif" font-size="11">',
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        *panels,
        *_draw_legend(means),
        "</svg>",
    ]
    with whole_file(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _draw_panel(
    curve: Sequence[ShiftScores], means: Sequence[MeanScores], name: str, heading: str
) -> str:
    """Return axes, the curve of one measure, and a level line for each model."""
    points = [(n, getattr(point.scores, name)) for n, point in enumerate(curve)]
    levels = [getattr(line.scores, name) for line in means]
    known = [value for value in (*(y for _, y in points), *levels) if math.isfinite(value)]
    parts = [f'<text x="{LEFT}" y="16" font-weight="bold">{escape(heading)}</text>']
    low, high = _pad(known)

    def place_x(number: float) -> float:
        return LEFT + (PANEL_WIDTH - LEFT - RIGHT) * number / max(1, len(curve) - 1)

    def place_y(value: float) -> float:
        return TOP + (PANEL_HEIGHT - TOP - BOTTOM) * (high - value) / (high - low)

    for value in choose_ticks(low, high):
        y = place_y(value)
        parts.append(_line(LEFT, y, PANEL_WIDTH - RIGHT, y, "#ddd"))
        parts.append(f'<text x="{LEFT - 5}" y="{y + 4:.1f}" text-anchor="end">{value:.3g}</text>')
    for number, point in enumerate(curve):
        x = place_x(number)
        y = PANEL_HEIGHT - BOTTOM + 15
        parts.append(f'<text x="{x:.1f}" y="{y}" text-anchor="middle">{point.shift_px}</text>')
    middle = (LEFT + PANEL_WIDTH - RIGHT) / 2
    parts.append(
        f'<text x="{middle}" y="{PANEL_HEIGHT - 8}" text-anchor="middle">{SHIFT_LABEL}</text>'
    )
    for number, level in enumerate(levels):
        if math.isfinite(level):
            y = place_y(level)
            parts.append(_line(LEFT, y, PANEL_WIDTH - RIGHT, y, *_style(number)))
    drawn = [(place_x(x), place_y(y)) for x, y in points if math.isfinite(y)]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in drawn)
    parts.append(f'<polyline points="{path}" fill="none" stroke="#000" stroke-width="2"/>')
    parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3"/>' for x, y in drawn]
    return "".join(parts)


def _draw_legend(means: Sequence[MeanScores]) -> list[str]:
    """Return a line for the curve and one for each model."""
    entries = [("the real target, shifted", "#000", "")]
    entries += [(line.model, *_style(number)) for number, line in enumerate(means)]
    lines = []
    for number, (name, colour, dashes) in enumerate(entries):
        y = PANEL_HEIGHT + LEGEND_PX * number + 8
        lines.append(_line(LEFT, y, LEFT + 30, y, colour, dashes))
        lines.append(f'<text x="{LEFT + 38}" y="{y + 4}">{escape(name)}</text>')
    return lines


def _style(number: int) -> tuple[str, str]:
    """Return the colour and the dash pattern of a model."""
    return COLOURS[number % len(COLOURS)], DASHES[1 + number // len(COLOURS) % (len(DASHES) - 1)]


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, dashes: str = "") -> str:
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" '
        f'stroke-width="1.5" stroke-dasharray="{dashes}"/>'
    )


def choose_ticks(low: float, high: float) -> list[float]:
    """Return round numbers from `low` to `high`: multiples of 1, 2 or 5 times a power of ten."""
    rough = (high - low) / TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    return [number * step for number in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _pad(values: Sequence[float]) -> tuple[float, float]:
    """Return a range that the values lie in, with room above and below."""
    if not values:
        return 0.0, 1.0
    room = 0.06 * (max(values) - min(values)) or 0.5
    return min(values) - room, max(values) + room
