"""Cumulative error curves as SVG: the share of runs whose median rTRE is at most x."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

#: Size of the chart in pixels.
WIDTH = 720
HEIGHT = 340
#: Margins in pixels, with room for the labels of both axes.
LEFT = 52
RIGHT = 14
TOP = 12
BOTTOM = 42
#: The rTRE at the left edge; rescans come close to it.
LOWEST = 5e-5
#: The rTRE at the right edge: a whole diagonal.
HIGHEST = 1.0
#: rTREs with a tick.
TICKS = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
#: Shares of the runs with a tick.
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
#: Colours that colour-blind readers can tell apart, on light and dark paper.
COLOURS = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#b8860b",
    "#56b4e9",
    "#7a5195",
    "#8c8c8c",
    "#e41a6b",
    "#4d7c0f",
)
#: Dash patterns: with ten colours they give thirty methods a curve of their own.
DASHES = ("", "7 3", "2 3")


@dataclass(frozen=True)
class Curve:
    """A method's line."""

    name: str
    """The name of the method."""
    points: str
    """The points of an SVG polyline."""
    colour: str
    """Its colour."""
    dashes: str
    """Its dash pattern; empty for a solid line."""


@dataclass(frozen=True)
class Chart:
    """Everything that the page draws."""

    curves: tuple[Curve, ...]
    """A curve for each method."""
    x_ticks: tuple[tuple[float, str], ...]
    """Places in pixels and labels along the rTRE axis."""
    y_ticks: tuple[tuple[float, str], ...]
    """Places in pixels and labels along the axis of shares."""
    width: int = WIDTH
    """Width in pixels."""
    height: int = HEIGHT
    """Height in pixels."""
    box: tuple[int, int, int, int] = (LEFT, TOP, WIDTH - RIGHT, HEIGHT - BOTTOM)
    """Left, top, right and bottom of the axes in pixels."""


def make_chart(medians: Mapping[str, Sequence[float]]) -> Chart:
    """Return the chart of median rTREs by method; every method needs at least one."""
    curves = [
        Curve(
            name,
            _steps(np.sort(values)),
            COLOURS[n % len(COLOURS)],
            DASHES[n // len(COLOURS) % len(DASHES)],
        )
        for n, (name, values) in enumerate(medians.items())
    ]
    return Chart(
        tuple(curves),
        tuple((_x(tick), f"{tick:g}") for tick in TICKS),
        tuple((_y(share), f"{share:.0%}") for share in SHARES),
    )


def _steps(values: np.ndarray) -> str:
    """Return a staircase from the left edge to the right one, one step a value."""
    heights = np.arange(len(values) + 1) / len(values)
    corners = [(_x(LOWEST), _y(float((values < LOWEST).mean())))]
    for before, after, value in zip(heights[:-1], heights[1:], values, strict=True):
        if LOWEST <= value <= HIGHEST:
            corners += [(_x(value), _y(before)), (_x(value), _y(after))]
    corners.append((_x(HIGHEST), _y(float((values <= HIGHEST).mean()))))
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in corners)


def _x(rtre: float) -> float:
    span = np.log(HIGHEST / LOWEST)
    return float(LEFT + (WIDTH - LEFT - RIGHT) * np.log(rtre / LOWEST) / span)


def _y(share: float) -> float:
    return TOP + (HEIGHT - TOP - BOTTOM) * (1 - share)
