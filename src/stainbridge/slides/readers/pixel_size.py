"""The pixel size that a file claims, and whether it is plausible."""

from __future__ import annotations

import math
from dataclasses import dataclass

from stainbridge.errors import InputError

#: µm: finer than any microscope resolves.
SMALLEST_UM = 0.02
#: µm: coarser than the macro image of any scanner.
LARGEST_UM = 50.0
#: mm: no glass slide is longer.
LARGEST_EXTENT_MM = 300.0
#: The longer side of a pixel by the shorter one: scanners' pixels are nearly square.
LARGEST_ANISOTROPY = 2.0
#: Resolutions of screens and printers, which software writes when it knows no other.
PRINT_DPI = (72, 96, 100, 120, 144, 150, 200, 240, 300, 360, 400, 600, 720, 1200)

UM_PER_INCH = 25400.0
#: Micrometres in a unit of length, by its name in OME, OME-Zarr and ImageJ files, lower case.
UM_PER_UNIT = {
    **dict.fromkeys(("pm", "picometer"), 1e-6),
    **dict.fromkeys(("å", "angstrom"), 1e-4),
    **dict.fromkeys(("nm", "nanometer"), 1e-3),
    **dict.fromkeys(("µm", "μm", "um", "micron", "microns", "micrometer", "micrometre"), 1.0),
    **dict.fromkeys(("mm", "millimeter", "millimetre"), 1e3),
    **dict.fromkeys(("cm", "centimeter", "centimetre"), 1e4),
    **dict.fromkeys(("m", "meter", "metre"), 1e6),
    **dict.fromkeys(("in", "inch"), UM_PER_INCH),
}


@dataclass(frozen=True)
class Claim:
    """A pixel size that a file states."""

    mpp: tuple[float, float]
    """µm per pixel, (x, y)."""
    source: str
    """Where the file states it, in words."""
    dpi: bool = False
    """Whether it is stated as a resolution, as printers' are."""
    guess: bool = False
    """Whether it follows from something else, such as the objective."""


@dataclass(frozen=True)
class PixelSize:
    """The pixel size that a reader uses."""

    mpp: tuple[float, float] = (1.0, 1.0)
    """µm per pixel, (x, y); 1 where it is not known."""
    calibrated: bool = False
    """Whether it is known."""
    warnings: tuple[str, ...] = ()
    """Doubts about it, one line each."""


def choose_pixel_size(
    claim: Claim | None, size_px: tuple[int, int], mpp: float | None = None
) -> PixelSize:
    """Return the pixel size to use for an image of `size_px` (width, height).

    That is `mpp` where given, else a plausible claim, else none. Raises `InputError` when `mpp` is
    not positive and finite.
    """
    if mpp is not None:
        if not (math.isfinite(mpp) and mpp > 0):
            raise InputError("pixel size must be positive", expected="µm > 0", got=mpp)
        return PixelSize((float(mpp), float(mpp)), True)
    if claim is None:
        return PixelSize()
    doubt = explain_doubt(claim, size_px)
    if doubt is not None:
        return PixelSize(warnings=(_warn_of_doubt(claim, doubt),))
    if claim.guess:
        return PixelSize(claim.mpp, True, (_warn_of_guess(claim),))
    return PixelSize(claim.mpp, True)


def _warn_of_guess(claim: Claim) -> str:
    return f"no pixel size in the file: {claim.mpp[0]:g} µm taken from the {claim.source}"


def _warn_of_doubt(claim: Claim, doubt: str) -> str:
    claimed = " x ".join(f"{value:.6g}" for value in dict.fromkeys(claim.mpp))
    return (
        f"pixel size {claimed} µm ({claim.source}) not believed: {doubt}; "
        "lengths are in full-resolution pixels"
    )


def explain_doubt(claim: Claim, size_px: tuple[int, int]) -> str | None:
    """Return in words why the claim is not the pixel size of a slide of `size_px` (width, height).

    None when it may be.
    """
    x, y = claim.mpp
    if not (math.isfinite(x) and math.isfinite(y) and min(x, y) > 0):
        return "it is not a positive number"
    if max(x, y) / min(x, y) > LARGEST_ANISOTROPY:
        return "pixels are not that elongated"
    dpi = UM_PER_INCH / x
    if claim.dpi and any(abs(dpi / usual - 1) < 0.004 for usual in PRINT_DPI):
        return f"{dpi:.0f} dpi is a screen's or printer's resolution"
    extent_mm = max(x * size_px[0], y * size_px[1]) / 1000
    if extent_mm > LARGEST_EXTENT_MM:
        return f"the slide would be {extent_mm:.3g} mm long"
    if not (min(x, y) >= SMALLEST_UM and max(x, y) <= LARGEST_UM):
        return f"slides have {SMALLEST_UM:g} to {LARGEST_UM:g} µm"
    return None


def to_um(value: float, unit: str) -> float | None:
    """Return `value` in micrometres, None for a unit that is no length."""
    factor = UM_PER_UNIT.get(unit.strip().lower())
    return None if factor is None else value * factor


def claim_from_resolution(
    x_per_unit: float, y_per_unit: float, unit_um: float, source: str
) -> Claim | None:
    """Return the claim of a resolution in pixels per unit of `unit_um` µm.

    None for a resolution that is not positive.
    """
    if not (x_per_unit > 0 and y_per_unit > 0):
        return None
    return Claim((unit_um / x_per_unit, unit_um / y_per_unit), source, dpi=True)


def claim_from_objective(power: float) -> Claim | None:
    """Return the usual pixel size of a scanner's objective: 10 µm ÷ power (0.25 µm at 40x)."""
    if not (math.isfinite(power) and power > 0):
        return None
    return Claim((10.0 / power, 10.0 / power), f"{power:g}x objective", guess=True)
