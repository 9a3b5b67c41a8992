"""The pixel size a file claims, and whether to believe it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from stainbridge.errors import InputError

SMALLEST_UM, LARGEST_UM = 0.02, 50.0
#: No glass slide is larger than this.
LARGEST_EXTENT_MM = 300.0
LARGEST_ANISOTROPY = 2.0
#: Resolutions of screens and printers, which software writes for want of anything better.
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
    """A pixel size (x, y) in µm found in a file, and where.

    `dpi` when it came as a resolution, as printers' do; `guess` when it follows from something
    else.
    """

    mpp: tuple[float, float]
    source: str
    dpi: bool = False
    guess: bool = False


@dataclass(frozen=True)
class PixelSize:
    """What a reader uses: µm per pixel (x, y), whether they are µm at all, and doubts in words."""

    mpp: tuple[float, float] = (1.0, 1.0)
    calibrated: bool = False
    warnings: tuple[str, ...] = ()


def choose_pixel_size(
    claim: Claim | None, size_px: tuple[int, int], mpp: float | None = None
) -> PixelSize:
    """The pixel size to use for an image of `size_px` (width, height): `mpp` where given, else a
    plausible claim.

    Raises `InputError` when `mpp` is not positive and finite.
    """
    if mpp is not None:
        if not (math.isfinite(mpp) and mpp > 0):
            raise InputError("pixel size must be positive", expected="µm > 0", got=mpp)
        return PixelSize((float(mpp), float(mpp)), True)
    if claim is None:
        return PixelSize()
    doubt = explain_doubt(claim, size_px)
    if doubt is None:
        guess = (
            (f"no pixel size in the file: {claim.mpp[0]:g} µm taken from the {claim.source}",)
            if claim.guess
            else ()
        )
        return PixelSize(claim.mpp, True, guess)
    said = " x ".join(f"{value:.6g}" for value in dict.fromkeys(claim.mpp))
    return PixelSize(
        warnings=(
            f"pixel size {said} µm ({claim.source}) not believed: {doubt}; lengths are in full-resolution pixels",
        )
    )


def explain_doubt(claim: Claim, size_px: tuple[int, int]) -> str | None:
    """Why the claim is not the pixel size of a slide of `size_px` (width, height), in words; None
    when it may be.
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
    """`value` in micrometres, None for a unit that is no length."""
    factor = UM_PER_UNIT.get(unit.strip().lower())
    return None if factor is None else value * factor


def claim_from_resolution(
    x_per_unit: float, y_per_unit: float, unit_um: float, source: str
) -> Claim | None:
    """The claim of a resolution in pixels per unit of `unit_um` µm; None for resolutions that are
    not positive.
    """
    if not (x_per_unit > 0 and y_per_unit > 0):
        return None
    return Claim((unit_um / x_per_unit, unit_um / y_per_unit), source, dpi=True)


def claim_from_objective(power: float) -> Claim | None:
    """The usual pixel size of a scanner's objective: 10 µm ÷ magnification (0.25 µm at 40x)."""
    if not (math.isfinite(power) and power > 0):
        return None
    return Claim((10.0 / power, 10.0 / power), f"{power:g}x objective", guess=True)
