"""Cumulative error curves as SVG: which share of the runs has a median rTRE of at most so much."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

WIDTH, HEIGHT = 720, 340
LEFT, RIGHT, TOP, BOTTOM = 52, 14, 12, 42
#: Decades of rTRE shown; better is left of it, worse is right.
LOWEST, HIGHEST = 5e-5, 1.0
TICKS = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
#: Distinct to colour-blind readers and on paper, light or dark; with three dash patterns for thirty
#: methods.
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
DASHES = ("", "7 3", "2 3")


@dataclass(frozen=True)
class Curve:
    """A method's line: `points` for an SVG polyline, its colour and dashes."""

    name: str
    points: str
    colour: str
    dashes: str


@dataclass(frozen=True)
class Chart:
    """All that the page draws: curves, and ticks as (place, words)."""

    curves: tuple[Curve, ...]
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]
    width: int = WIDTH
    height: int = HEIGHT
    box: tuple[int, int, int, int] = (LEFT, TOP, WIDTH - RIGHT, HEIGHT - BOTTOM)


def chart(medians: Mapping[str, Sequence[float]]) -> Chart:
    """The chart of median rTREs by method; every method needs at least one."""
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
    """A staircase from the left edge to the right one, one step a value."""
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
