"""How hard a pair is to register: the ranges that its deformation and damage are drawn from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Difficulty = Literal["easy", "real", "hard", "faint", "dense"]


@dataclass(frozen=True)
class DifficultyRanges:
    """The ranges and probabilities of one difficulty.

    A range is of both signs, ±. Probabilities hold for each kind of thing on its own, on the
    moving slide. Those of damage, pieces and artefacts are a third of it on the fixed slide.
    """

    rotation_deg: float
    """Range of the rotation in degrees."""
    flip_probability: float
    """Probability of a mirror image."""
    scale: float
    """Range of the logarithm of the scale."""
    shift: float
    """Range of the shift, as a share of the slide's side."""
    shear: float
    """Range of the shear."""
    elastic: float
    """Root mean square elastic displacement, as a share of the slide's side."""
    laboratory_variation: float
    """How much laboratories differ; 1 is what is seen between institutes."""
    faint_probability: float
    """Probability of a faint immunostain."""
    distance_um: float
    """Distance between the sections in µm."""
    tear_probability: float
    """Probability of a tear."""
    damage_probability: float
    """Probability of folds, and of holes."""
    piece_probability: float
    """Probability of control tissue, and of a floating scrap."""
    artefact_probability: float
    """Probability of each kind of artefact."""
    blur_um: float
    """Standard deviation in µm of the blur of parts out of focus."""
    jpeg_quality: tuple[int, int]
    """Range of the JPEG quality; the upper end is excluded."""
    counterstain: tuple[float, float] = (1.0, 1.0)
    """Range of an immunostain's counterstain, as a share of what is usual; on one slide alone."""
    density: tuple[float, float] = (1.0, 1.0)
    """Range of the moving slide's density, as a multiple of what is usual."""
    overrun_probability: float = 0.0
    """Probability that tissue runs over the edges of both slides."""


_REAL = DifficultyRanges(
    rotation_deg=180,
    flip_probability=0.3,
    scale=0.05,
    shift=0.03,
    shear=0.02,
    elastic=0.024,
    laboratory_variation=0.8,
    faint_probability=0.15,
    distance_um=8.0,
    tear_probability=0.6,
    damage_probability=0.4,
    piece_probability=0.25,
    artefact_probability=0.3,
    blur_um=2.5,
    jpeg_quality=(70, 93),
)

DIFFICULTIES: dict[str, DifficultyRanges] = {
    "easy": DifficultyRanges(
        rotation_deg=15,
        flip_probability=0.0,
        scale=0.02,
        shift=0.02,
        shear=0.0,
        elastic=0.006,
        laboratory_variation=0.3,
        faint_probability=0.0,
        distance_um=4.0,
        tear_probability=0.0,
        damage_probability=0.0,
        piece_probability=0.0,
        artefact_probability=0.0,
        blur_um=0.0,
        jpeg_quality=(93, 97),
    ),
    "real": _REAL,
    "hard": DifficultyRanges(
        rotation_deg=180,
        flip_probability=0.5,
        scale=0.15,
        shift=0.05,
        shear=0.05,
        elastic=0.036,
        laboratory_variation=1.3,
        faint_probability=0.45,
        distance_um=20.0,
        tear_probability=1.0,
        damage_probability=0.9,
        piece_probability=0.7,
        artefact_probability=1.0,
        blur_um=6.0,
        jpeg_quality=(35, 60),
    ),
    # the marker is seen, and next to nothing of the tissue around it
    "faint": replace(
        _REAL, counterstain=(0.02, 0.10), faint_probability=0.0, overrun_probability=0.5
    ),
    # nearly black but for fat and the palest stroma
    "dense": replace(_REAL, density=(25.0, 50.0), faint_probability=0.0, overrun_probability=0.5),
}
