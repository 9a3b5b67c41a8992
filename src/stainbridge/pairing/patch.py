"""A patch of a slide pair: where it comes from, how good it is, whether it is kept."""

from __future__ import annotations

from dataclasses import dataclass

from stainbridge.pairing.source import Split


@dataclass(frozen=True)
class PatchScores:
    """What was measured on both pictures of a patch, at the patch's own resolution."""

    tissue_fixed: float
    """Share of the fixed picture that is tissue."""
    tissue_moving: float
    """Share of the moving picture that is tissue."""
    residual_px: float
    """Estimated misalignment that remains, in pixels of the patch; nan where nothing tells."""
    residual_uncertainty_px: float
    """Standard error of that estimate, in pixels of the patch."""
    blur_fixed: float
    """Radius of the blur of the fixed picture in pixels; nan where nothing tells."""
    blur_moving: float
    """The same of the moving picture."""
    pen: float
    """Largest share of either picture that is pen ink."""
    fold: float
    """Largest share of either picture that is folded tissue."""
    positive: float
    """Share of the moving picture that is positive for DAB; nan for other pictures than RGB."""


@dataclass(frozen=True)
class Patch:
    """One row of a set's manifest: a patch's origin, its scores and what became of it."""

    name: str
    """File name without ending: pair, x, y and label."""
    pair: str
    """Id of the slide pair."""
    patient: str
    """Whose tissue it is."""
    split: Split
    """Part of the data set."""
    label: str
    """Class of the slide pair, or empty."""
    fixed: str
    """File of the fixed slide."""
    moving: str
    """File of the moving slide."""
    x_px: int
    """Left edge in full-resolution pixels of the fixed slide."""
    y_px: int
    """Top edge in full-resolution pixels of the fixed slide."""
    side_px: float
    """Side in full-resolution pixels of the fixed slide."""
    moving_x_px: float
    """Centre in full-resolution pixels of the moving slide."""
    moving_y_px: float
    """Centre in full-resolution pixels of the moving slide."""
    mpp: float
    """Pixel size of the patch in µm; full-resolution pixels of a slide without a pixel size."""
    calibrated: bool
    """Whether `mpp` is in µm."""
    status: str
    """Verdict of the registration: `ok` or `fallback`."""
    scores: PatchScores
    """What was measured on it."""
    dropped_for: str = ""
    """The threshold that it does not meet, a field of `Thresholds`; empty: it is kept."""

    @property
    def is_kept(self) -> bool:
        """Whether the patch is in the data set."""
        return not self.dropped_for

    @property
    def residual_um(self) -> float:
        """Estimated misalignment in µm; nan where nothing tells or no pixel size is known."""
        return self.scores.residual_px * self.mpp if self.calibrated else float("nan")
