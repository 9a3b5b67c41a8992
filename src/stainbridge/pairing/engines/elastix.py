"""The way BCI was made: a pre-alignment of the slides, then elastix block by block.

Liu et al. 2022, "BCI: Breast Cancer Immunohistochemical Image Generation through Pyramid Pix2pix",
doi:10.1109/CVPRW56347.2022.00198, sec. 3.2: 16 blocks, each registered non-rigidly on one channel.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from stainbridge.compute import torch_threads
from stainbridge.geometry.field import jacobian_determinant
from stainbridge.geometry.frame import Frame
from stainbridge.geometry.summary import find_affine_part
from stainbridge.geometry.transform import Affine, Transform
from stainbridge.geometry.warp import sample_mask
from stainbridge.imaging.image import Image
from stainbridge.pairing.alignment import Alignment, ErrorMap
from stainbridge.pairing.blocks import BlockPlan
from stainbridge.pairing.config import PairingConfig
from stainbridge.pairing.engines.elastix_block import check_elastix, register_block
from stainbridge.progress import Progress, ignore_progress
from stainbridge.registration.config import RegisterConfig
from stainbridge.registration.pipeline import register_slides
from stainbridge.registration.result import Registration
from stainbridge.registration.sections.density import Masks
from stainbridge.registration.sections.section import Section, read_section
from stainbridge.registration.stages.table import STAGES
from stainbridge.registration.verdict.collect import collect_evidence
from stainbridge.registration.verdict.judge import RegistrationStatus, load_calibration
from stainbridge.registration.verdict.rival import measure_rival
from stainbridge.registration.verdict.verification import measure_score, verify
from stainbridge.slides.overview import place_mask
from stainbridge.slides.slide import Slide
from stainbridge.slides.warped import WarpedSlide
from stainbridge.types import Field, Mask

#: Most pixels of a block's longer side.
BLOCK_PX = 2048
#: Pixels between two nodes of a block's field; B-splines have theirs farther apart.
NODE_SPACING_PX = 8
#: The channel that is registered: of RGB the red one, where haematoxylin absorbs in both stains.
CHANNEL = 0
#: A block with a smaller share of tissue stays as it is pre-aligned.
LEAST_TISSUE = 0.01
#: Longest side, in pixels, of the pictures that the result is judged on.
JUDGED_PX = 1024
#: Fraction of the progress after the pre-alignment.
PREALIGNED = 0.3


def align(
    fixed: Slide,
    moving: Slide,
    config: PairingConfig,
    *,
    initial: Transform | None = None,
    masks: Masks = (None, None),
    progress: Progress = ignore_progress,
) -> Alignment:
    """Align two slides block by block with elastix.

    Args:
        fixed: The slide that stays in place.
        moving: The slide that is aligned to it.
        config: The number of blocks, whether they are blended, the resolution and the seed.
        initial: The pre-alignment, moving from fixed; None: our own affine registration.
        masks: Where tissue may be used on the fixed and the moving slide.
        progress: Called with what is done and the fraction of the whole.

    Raises:
        MissingExtraError: itk-elastix is not installed.

    """
    check_elastix()
    registration = None
    if initial is None:
        registration = _prealign(fixed, moving, config, masks, progress)
        if registration.status == "failed":
            return Alignment(None, "failed", registration.reason, registration)
        initial = registration.transform
    sections = []
    for side, slide, mask in zip(("fixed", "moving"), (fixed, moving), masks, strict=True):
        section = read_section(slide, JUDGED_PX, mask)
        if section is None:
            return Alignment(None, "failed", f"no tissue found on the {side} slide", registration)
        sections.append(section)
    pair = (sections[0], sections[1])
    result = _register_blocks(fixed, moving, config, initial, pair[0], masks[0], progress)
    with torch_threads.one():
        status, reason = _judge(pair, initial, result)
    if status == "failed":
        return Alignment(None, status, reason, registration)
    transform = result.solution.then(initial)
    return Alignment(transform, status, reason, registration, result.error)


@dataclass(frozen=True, eq=False)
class _Result:
    """The fields of all blocks together."""

    solution: Transform
    """What the patches are read through, in the fixed space; it may leave gaps."""
    judged: Transform
    """The same without gaps."""
    tried: int
    """Blocks with tissue."""
    failed: int
    """Blocks with tissue that stay as they are pre-aligned."""
    error: ErrorMap | None = None
    """How far blocks disagree; None where they do not overlap."""


def _prealign(
    fixed: Slide, moving: Slide, config: PairingConfig, masks: Masks, progress: Progress
) -> Registration:
    """Return our own affine registration."""
    preset = RegisterConfig.preset(config.preset)
    placement = [stage for stage in preset.stages if STAGES[stage.kind].phase == "placement"]
    return register_slides(
        fixed,
        moving,
        preset.with_options(stages=tuple(placement), seed=config.seed),
        fixed_mask=masks[0],
        moving_mask=masks[1],
        progress=lambda stage, fraction: progress(stage, PREALIGNED * fraction),
    )


def _register_blocks(
    fixed: Slide,
    moving: Slide,
    config: PairingConfig,
    initial: Transform,
    section: Section,
    mask: Image | None,
    progress: Progress,
) -> _Result:
    """Register every block that holds tissue; one block is in memory at a time."""
    plan = BlockPlan.choose(
        fixed.frame,
        config.blocks,
        mpp=float(np.mean(fixed.frame.mpp)) if config.mpp is None else config.mpp,
        longest_px=BLOCK_PX,
        spacing_px=NODE_SPACING_PX,
        overlap=config.blend == "linear",
    )
    warped = WarpedSlide(moving, initial)
    fields = []
    tried = 0
    failed = 0
    for number, index in enumerate(plan):
        progress("elastix", PREALIGNED + (1 - PREALIGNED) * number / plan.grid.count)
        nodes = plan.nodes(*index)
        field = None
        if float(_sample(section.region, section.frame, nodes).mean()) >= LEAST_TISSUE:
            frame = plan.frame(*index)
            allowed = None
            if mask is not None:
                allowed = _sample(place_mask(mask, section.frame), section.frame, frame)
            field = _register(fixed, warped, frame, allowed)
            tried += 1
            failed += field is None
        fields.append(
            np.zeros((2, nodes.height, nodes.width), np.float32) if field is None else field
        )
    progress("elastix", 1.0)
    if config.blend == "linear":
        blended = plan.blend(fields)
        return _Result(blended, blended, tried, failed, plan.measure_error(fields))
    judged = plan.cut(fields, shows_gaps=False)
    return _Result(plan.cut(fields, shows_gaps=True), judged, tried, failed)


def _register(fixed: Slide, warped: Slide, frame: Frame, allowed: Mask | None) -> Field | None:
    """Return a block's displacements in µm; None where elastix fails or folds the tissue."""
    planes = [slide.read(frame).pixels[CHANNEL].astype(np.float32) for slide in (fixed, warped)]
    field = register_block(planes[0], planes[1], NODE_SPACING_PX, allowed)
    if field is None or jacobian_determinant(field, (NODE_SPACING_PX,) * 2).min() <= 0:
        return None
    return np.asarray(field * np.array(frame.mpp, np.float32)[:, None, None])


def _sample(plane: Mask, grid: Frame, frame: Frame) -> Mask:
    """Return a mask of the fixed slide on another frame, (H, W); False beyond the slide."""
    return sample_mask(plane, grid, Affine(np.eye(3), grid.space, grid.space), frame)


def _judge(
    sections: tuple[Section, Section], initial: Transform, result: _Result
) -> tuple[RegistrationStatus, str]:
    """Return the verdict of a registration of the whole slides, and what else is to be doubted."""
    final = result.judged.then(initial)
    placement = find_affine_part(initial)
    evidence = collect_evidence(*sections, placement, verify(*sections, placement), final)
    rival = measure_rival(*sections, placement)
    verdict = load_calibration()(replace(evidence, rival=rival))
    doubts = []
    before = measure_score(*sections, initial)
    after = measure_score(*sections, final)
    if after < before:
        doubts.append(
            f"the blocks lower the agreement of the slides from {before:.2f} to {after:.2f}"
        )
    if result.failed:
        doubts.append(
            f"{result.failed} of {result.tried} blocks with tissue stay as they were pre-aligned, "
            "where elastix failed or folded the tissue"
        )
    status = "fallback" if verdict.status == "ok" and doubts else verdict.status
    return status, "; ".join([*doubts, verdict.reason])
