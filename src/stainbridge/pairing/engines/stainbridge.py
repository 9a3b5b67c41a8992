"""Our own engine: the registration of whole slides, refined by windows at patch resolution.

The deformation that a registration finds is rough at the scale of its own pixels: there it fits
noise. So it is smoothed first. Then windows are matched, coarse to fine. Each round fits the whole
field anew to where its windows lie: fields that are added up would add up the windows' noise too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np
from scipy.ndimage import map_coordinates

from stainbridge.geometry.frame import Frame
from stainbridge.geometry.piecewise import Piecewise
from stainbridge.geometry.summary import find_affine_part
from stainbridge.geometry.transform import Affine, DisplacementField, Transform
from stainbridge.geometry.warp import sample_mask
from stainbridge.pairing.alignment import Alignment, ErrorMap
from stainbridge.pairing.config import PairingConfig
from stainbridge.pairing.slide_windows import SlidePairDensities, WindowPlan, WindowShifts
from stainbridge.pairing.smooth_field import (
    BLOCK,
    Roughness,
    fit_field_and_error,
    fit_layered_field,
)
from stainbridge.progress import Progress, ignore_progress
from stainbridge.registration.config import RegisterConfig
from stainbridge.registration.pipeline import register_slides
from stainbridge.registration.sections.density import Masks, SlideDensity
from stainbridge.registration.sections.section import Section
from stainbridge.registration.stages.folds import repair_folds
from stainbridge.slides.slide import Slide
from stainbridge.types import Field

#: Standard deviation of the smoothing of the registration's field, in its working pixels.
SMOOTHING_PX = 24.0
#: Pixel size of the first windows, in working pixels of the registration.
FIRST_RESOLUTION = 0.5
#: The last windows' pixels are at most this many times those of the patches.
LAST_FACTOR = 4.0
#: Nodes along the longer side of the field in which everything is collected.
FIELD_PX = 512
#: Fraction of the progress after the registration of the whole slides.
REGISTERED = 0.3
#: Distance, in working pixels, of the places between which differences of displacements are told.
DIFFERENCE_PX = 16.0
#: Third difference of the smooth displacements between such places, in working pixels.
THIRD_PX = 0.1
#: Second difference of the local displacements between such places, in working pixels.
CURVATURE_PX = 0.6
#: Windows nearer to each other than this show the same structures and err alike. Halves of nearer
#: windows disagree by less than they err.
ALIKE_UM = 330.0
#: What the structures of neighbouring sections lie apart, in pixels of the windows.
STRUCTURE_PX = 0.8


@dataclass(frozen=True)
class _Windows:
    """The windows of a round, in their pixels."""

    window_px: int
    spacing_px: int
    reach_px: int


#: The first round looks far; the last ones see small differences.
FIRST = _Windows(128, 48, 16)
SECOND = _Windows(192, 80, 14)
LAST = _Windows(192, 64, 10)


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
    pair = SlidePairDensities(
        fixed, moving, SlideDensity.fit(fixed, masks[0]), SlideDensity.fit(moving, masks[1])
    )
    working_um = _measure_side_um(pair.fixed_density.overview) / preset.working_px
    mpp = float(np.mean(fixed.frame.mpp)) if config.mpp is None else config.mpp
    rounds = plan_rounds(working_um, mpp, float(np.mean(fixed.frame.mpp)))
    transform, error = refine(
        pair,
        registration.transform,
        rounds,
        working_um,
        lambda done: progress("windows", REGISTERED + (1 - REGISTERED) * done),
    )
    return Alignment(transform, registration.status, registration.reason, registration, error)


def plan_rounds(working_um: float, patch_mpp: float, slide_mpp: float) -> list[WindowPlan]:
    """Return the windows of each round.

    From a resolution near that of the registration's working pixels, halved until it suits the
    patches, but never finer than the slide. There are three rounds at least.
    """
    finest = max(slide_mpp, min(LAST_FACTOR * patch_mpp, FIRST_RESOLUTION * working_um / 2))
    sizes = [max(finest, FIRST_RESOLUTION * working_um)]
    sizes.append(max(finest, sizes[-1] / 2))
    while sizes[-1] > 1.01 * finest:
        sizes.append(max(finest, sizes[-1] / 2))
    rounds = [FIRST, SECOND, *[LAST] * max(1, len(sizes) - 2)]
    sizes = [*sizes, finest][: len(rounds)]
    return [
        WindowPlan(mpp, item.window_px, item.spacing_px, item.reach_px)
        for mpp, item in zip(sizes, rounds, strict=True)
    ]


def refine(
    pair: SlidePairDensities,
    transform: Transform,
    rounds: list[WindowPlan],
    working_um: float,
    progress: Callable[[float], None] = lambda _: None,
) -> tuple[Transform, ErrorMap]:
    """Return `transform` smoothed and refined by rounds of windows, and its error.

    It is one field and an affine map. `working_um` is the pixel size that `transform` was found at.
    Places where windows tell nothing follow their neighbourhood.
    """
    affine = find_affine_part(transform)
    grid = pair.fixed.frame.fit(FIELD_PX)
    result = smooth_transform(
        transform, affine, grid, pair.fixed_density.overview, SMOOTHING_PX * working_um
    )
    expected = None
    if isinstance(transform, Piecewise):  # pieces lie apart: no smooth field joins them
        space = affine.source
        expected = DisplacementField(_sample_residual(result, affine, grid), grid, space, space)
    for number, plan in enumerate(rounds):
        found = pair.match(result, plan, partial(_report_part, progress, number, len(rounds)))
        total = _add_shifts(found, result, affine, expected)
        deviations = np.hypot(found.deviations_um, np.float32(STRUCTURE_PX * plan.mpp))
        roughness = _choose_roughness(plan, working_um)
        if number < len(rounds) - 1:
            field = fit_layered_field(total, deviations, roughness)
        else:
            field, error_um = fit_field_and_error(total, deviations, roughness)
            error = ErrorMap(error_um * measure_likeness(found.grid.mpp[0]), found.grid)
        upsampled = _upsample(field, found.grid, grid)
        if expected is not None:
            upsampled += expected.displacement
        result = _make_field(upsampled, affine, grid)
    return result, error


def measure_likeness(spacing_um: float) -> np.float32:
    """Return how many times more windows `spacing_um` apart err than halves of them disagree."""
    return np.float32(max(1.0, ALIKE_UM / (BLOCK * spacing_um)))


def _add_shifts(
    found: WindowShifts, transform: Transform, affine: Affine, expected: DisplacementField | None
) -> Field:
    """Return what is to be done before `affine`, beside what is expected, (2, h, w) in µm.

    `found` are shifts on what is seen through `transform`.
    """
    centres = found.grid.centres_um()
    seen = centres + found.shifts_um.reshape(2, -1).T
    total = affine.inverse()(transform(seen)) - centres
    if expected is not None:
        total -= expected.at(centres)
    return np.asarray(total.T.reshape(found.shifts_um.shape), np.float32)


def _choose_roughness(plan: WindowPlan, working_um: float) -> Roughness:
    """Return how rough displacements may be from window to window."""
    distance = plan.spacing_px * plan.mpp / (DIFFERENCE_PX * working_um)
    return Roughness(THIRD_PX * working_um * distance**3, CURVATURE_PX * working_um * distance**2)


def _upsample(field: Field, source: Frame, grid: Frame) -> Field:
    """Return displacements (2, h, w) on `source` at the nodes of `grid`, by cubic splines."""
    columns, rows = (source.to_px(grid.centres_um()) - 0.5).T
    places = [rows.clip(0, source.height - 1), columns.clip(0, source.width - 1)]
    planes = [map_coordinates(u.astype(float), places, order=3, mode="nearest") for u in field]
    return np.asarray(np.stack(planes).reshape(2, grid.height, grid.width), np.float32)


def smooth_transform(
    transform: Transform, affine: Affine, grid: Frame, section: Section, smoothing_um: float
) -> Transform:
    """Return `transform` with what it does beside `affine` smoothed within the tissue."""
    field = _sample_residual(transform, affine, grid)
    stay = Affine(np.eye(3), grid.space, grid.space)
    region = sample_mask(section.region, section.frame, stay, grid)
    weight = region + np.float32(1e-3)
    sigma_px = smoothing_um / grid.mpp[0]
    total = cv2.GaussianBlur(weight, (0, 0), sigma_px)
    smooth = [cv2.GaussianBlur(u * weight, (0, 0), sigma_px) / total for u in field]
    return _make_field(np.stack(smooth), affine, grid)


def _sample_residual(transform: Transform, affine: Affine, grid: Frame) -> np.ndarray:
    """Return what `transform` does before `affine`, (2, h, w) in µm of the fixed space."""
    centres = grid.centres_um()
    moved = affine.inverse()(transform(centres)) - centres
    return np.asarray(moved.T.reshape(2, grid.height, grid.width), np.float32)


def _make_field(displacement: np.ndarray, affine: Affine, grid: Frame) -> Transform:
    field = DisplacementField(displacement, grid, affine.source, affine.source)
    return repair_folds(field, grid).then(affine)


def _measure_side_um(section: Section) -> float:
    """Return the longer side of the box around a section's tissue."""
    rows, columns = np.ptp(np.argwhere(section.region), axis=0) + 1
    return float(max(rows * section.frame.mpp[1], columns * section.frame.mpp[0]))


def _report_part(
    progress: Callable[[float], None], number: int, count: int, fraction: float
) -> None:
    progress((number + fraction) / count)
