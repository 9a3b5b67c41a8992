"""Misfit: how much tissue would fit better elsewhere, and where it lies."""

from __future__ import annotations

from dataclasses import dataclass

from stainbridge.types import Box


@dataclass(frozen=True)
class Misfit:
    """Where tissue of the fixed slide would rather lie elsewhere on the moving one.

    `Registration.misfit` is one.

    Example:
        >>> stainbridge.Misfit(0.08, ((500.0, 290.0, 540.0, 330.0),)).share
        0.08

    """

    share: float
    """Share of the fixed tissue, 0 to 1."""
    boxes_px: tuple[Box, ...]
    """Squares of that tissue in full-resolution pixels: left, top, right, bottom."""
