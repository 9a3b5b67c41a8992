"""Our own engine: the registration of whole slides, refined by windows at patch resolution.

The deformation that a registration finds is rough at the scale of its own pixels: there it fits
noise. So it is smoothed first. Then windows are matched, coarse to fine, and the smoothest field
that agrees with them is added.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np

from stainbridge.geometry.frame import Frame
from stainbridge.geometry.summary import find_affine_part
from stainbridge.geometry.transform import Affine, DisplacementField, Transform
from stainbridge.pairing.alignment import Alignment
from stainbridge.pairing.config import PairingConfig
from stainbridge.pairing.slide_windows import SlidePairDensities, WindowPlan
from stainbridge.pairing.smooth_field import fit_smooth_field
from stainbridge.progress import Progress, ignore_progress
from stainbridge.registration.config import RegisterConfig
from stainbridge.registration.pipeline import register_slides
from stainbridge.registration.sections.density import Masks, SlideDensity
from stainbridge.registration.sections.section import Section
from stainbridge.registration.stages.folds import repair_folds
from stainbridge.slides.slide import Slide

#: Standard deviation of the smoothing of the registration's field, in its working pixels.
SMOOTHING_PX = 20.0
#: Pixel size of the first windows, in working pixels of the registration.
FIRST_RESOLUTION = 0.4
#: The last windows' pixels are at most this many times those of the patches.
LAST_FACTOR = 4.0
#: Nodes along the longer side of the field in which everything is collected.
FIELD_PX = 512
#: Fraction of the progress after the registration of the whole slides.
REGISTERED = 0.3


@dataclass(frozen=True)
class _Windows:
    """The windows of a round, in their pixels."""

    window_px: int
    spacing_px: int
    reach_px: int
    curvature_um: float
    """Second difference of displacements, from window to window; of 128 µm between windows."""


#: The first round looks far, at large windows; the last ones see small differences.
FIRST = _Windows(128, 48, 16, 10.0)
SECOND = _Windows(192, 80, 14, 10.0)
FINE = _Windows(128, 64, 10, 5.0)
LAST = _Windows(192, 64, 8, 5.0)


def align(
    fixed: Slide,
    moving: Slide,
    config: PairingConfig,
    *,
    initial: Transform | None = None,
    masks: Masks = (None, None),
    progress: Progress = ignore_progress,
) -> Alignment:
    """Align two slides as a whole, then by windows at the resolution of the patches.

    Args:
        fixed: The slide that stays in place.
        moving: The slide that is aligned to it.
        config: The preset of the registration, the resolution and the seed.
        initial: A pre-alignment, moving from fixed, whose affine part is refined; None: search.
        masks: Where tissue may be used on the fixed and the moving slide.
        progress: Called with what is done and the fraction of the whole.

    """
    preset = RegisterConfig.preset(config.preset).with_options(seed=config.seed)
    registration = register_slides(
        fixed,
        moving,
        preset,
        initial_transform=initial,
        fixed_mask=masks[0],
        moving_mask=masks[1],
        progress=lambda stage, fraction: progress(stage, REGISTERED * fraction),
    )
    if registration.status == "failed":
        return Alignment(None, "failed", registration.reason, registration)
    working_um = max(fixed.frame.size_um) / preset.working_px
    pair = SlidePairDensities(
        fixed, moving, SlideDensity.fit(fixed, masks[0]), SlideDensity.fit(moving, masks[1])
    )
    mpp = float(np.mean(fixed.frame.mpp)) if config.mpp is None else config.mpp
    rounds = plan_rounds(working_um, mpp, float(np.mean(fixed.frame.mpp)))
    transform = refine(
        pair,
        registration.transform,
        rounds,
        SMOOTHING_PX * working_um,
        lambda done: progress("windows", REGISTERED + (1 - REGISTERED) * done),
    )
    return Alignment(transform, registration.status, registration.reason, registration)


def plan_rounds(
    working_um: float, patch_mpp: float, slide_mpp: float
) -> list[tuple[WindowPlan, float]]:
    """Return the windows of each round, and how curved the field through them may be, in µm.

    From a resolution near that of the registration's working pixels, halved until it suits the
    patches, but never finer than the slide. The finest is done twice more.
    """
    finest = max(slide_mpp, min(LAST_FACTOR * patch_mpp, FIRST_RESOLUTION * working_um / 2))
    sizes = [max(finest, FIRST_RESOLUTION * working_um)]
    sizes.append(max(finest, sizes[-1] / 2))
    while sizes[-1] > 1.01 * finest:
        sizes.append(max(finest, sizes[-1] / 2))
    fine = [FINE] * max(1, len(sizes) - 2)
    rounds = [FIRST, SECOND, *fine, LAST]
    sizes = [*sizes, finest, finest][: len(rounds)]
    return [
        (
            WindowPlan(mpp, item.window_px, item.spacing_px, item.reach_px),
            item.curvature_um * working_um / 10.0,
        )
        for mpp, item in zip(sizes, rounds, strict=True)
    ]


def refine(
    pair: SlidePairDensities,
    transform: Transform,
    rounds: list[tuple[WindowPlan, float]],
    smoothing_um: float,
    progress: Callable[[float], None] = lambda _: None,
) -> Transform:
    """Return `transform` smoothed and refined by rounds of windows, as one field and an affine map.

    Places where windows tell nothing follow their neighbourhood.
    """
    affine = find_affine_part(transform)
    grid = pair.fixed.frame.fit(FIELD_PX)
    result = smooth_transform(transform, affine, grid, pair.fixed_density.overview, smoothing_um)
    for number, (plan, curvature_um) in enumerate(rounds):
        found = pair.match(result, plan, partial(_report_part, progress, number, len(rounds)))
        displacement = fit_smooth_field(found.shifts_um, found.deviations_um, curvature_um)
        space = pair.fixed.frame.space
        correction = DisplacementField(displacement, found.grid, space, space)
        result = _collect(correction.then(result), affine, grid)
    return result


def smooth_transform(
    transform: Transform, affine: Affine, grid: Frame, section: Section, smoothing_um: float
) -> Transform:
    """Return `transform` with what it does beside `affine` smoothed within the tissue."""
    field = _sample_residual(transform, affine, grid)
    size = (grid.width, grid.height)
    region = cv2.resize(section.region.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    weight = region + np.float32(1e-3)
    sigma_px = smoothing_um / grid.mpp[0]
    total = cv2.GaussianBlur(weight, (0, 0), sigma_px)
    smooth = [cv2.GaussianBlur(u * weight, (0, 0), sigma_px) / total for u in field]
    return _make_field(np.stack(smooth), affine, grid)


def _collect(transform: Transform, affine: Affine, grid: Frame) -> Transform:
    """Return a chain of fields as one field and the affine map, without folds where possible."""
    return _make_field(_sample_residual(transform, affine, grid), affine, grid)


def _sample_residual(transform: Transform, affine: Affine, grid: Frame) -> np.ndarray:
    """Return what `transform` does before `affine`, (2, h, w) in µm of the fixed space."""
    centres = grid.centres_um()
    moved = affine.inverse()(transform(centres)) - centres
    return np.asarray(moved.T.reshape(2, grid.height, grid.width), np.float32)


def _make_field(displacement: np.ndarray, affine: Affine, grid: Frame) -> Transform:
    field = DisplacementField(displacement, grid, affine.source, affine.source)
    return repair_folds(field, grid).then(affine)


def _report_part(
    progress: Callable[[float], None], number: int, count: int, fraction: float
) -> None:
    progress((number + fraction) / count)
