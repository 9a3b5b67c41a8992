"""Numbers of patches in words, for the card and the page."""

from __future__ import annotations

import math
from collections.abc import Sequence

from stainbridge.pairing.config import PairingConfig, Thresholds, read_measure
from stainbridge.pairing.patch import Patch

#: What each threshold asks for, with its limit.
CONDITIONS = {
    "min_tissue": "tissue at least {} %",
    "max_pen": "pen ink at most {} %",
    "max_fold": "folds at most {} %",
    "max_blur_px": "blur at most {} px",
    "max_residual_px": "residual at most {} px",
}
#: What the threshold measures, in a word or two.
MEASURES = {
    "min_tissue": "tissue",
    "max_pen": "pen",
    "max_fold": "folds",
    "max_blur_px": "blur",
    "max_residual_px": "residual",
}


def format_number(value: float, digits: int = 3) -> str:
    """Return a number with some significant digits, a dash where nothing tells."""
    return "–" if math.isnan(value) else f"{value:.{digits}g}"


def format_percent(share: float) -> str:
    """Return a share in percent with one digit after the point."""
    return "–" if math.isnan(share) else f"{100 * share:.1f} %"


def format_measure(name: str, value: float) -> str:
    """Return what a threshold is compared with, with its unit."""
    if name.endswith("_px"):
        return f"{format_number(value)} px"
    return format_percent(value)


def describe_condition(name: str, thresholds: Thresholds) -> str:
    """Return what a threshold asks for."""
    limit: float = getattr(thresholds, name)
    return CONDITIONS[name].format(f"{limit if name.endswith('_px') else 100 * limit:.4g}")


def describe_measure(patch: Patch, name: str) -> str:
    """Return what a threshold sees in a patch."""
    return f"{MEASURES[name]} {format_measure(name, read_measure(name, patch.scores))}"


def describe_residual(patch: Patch) -> str:
    """Return the estimated misalignment of a patch with its uncertainty."""
    scores = patch.scores
    if math.isnan(scores.residual_px):
        return "residual unknown"
    uncertainty_px = scores.residual_uncertainty_px
    spread = "" if math.isnan(uncertainty_px) else f" ± {uncertainty_px:.1f}"
    um = f" ({patch.residual_um:.2g} µm)" if patch.calibrated else ""
    return f"residual {scores.residual_px:.1f}{spread} px{um}"


def describe_resolution(patches: Sequence[Patch], config: PairingConfig) -> str:
    """Return side and pixel size of the patches in one phrase."""
    sides = f"{config.patch_px} × {config.patch_px} px"
    sizes = sorted({patch.mpp for patch in patches if patch.calibrated})
    parts = []
    if sizes:
        same = sizes[-1] - sizes[0] < 1e-3 * sizes[0]
        pixel = f"{sizes[0]:.4g}" if same else f"{sizes[0]:.4g} to {sizes[-1]:.4g}"
        parts.append(f"{pixel} µm per pixel")
    if any(not patch.calibrated for patch in patches):
        parts.append("slides without a pixel size: pixels of the slide")
    return ", ".join([sides, *parts])
