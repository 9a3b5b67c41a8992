"""Sample what differs between the slides of a pair: placement, damage, other tissue, artefacts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from stainbridge.phantom.glass.artefacts import (
    Artefact,
    BlackBorder,
    Dust,
    PenMark,
    ScaleBar,
    UnevenLight,
)
from stainbridge.phantom.glass.damage import ExtraPiece, Hole
from stainbridge.phantom.glass.optics import Bubble, OutOfFocus
from stainbridge.phantom.glass.slide import PhantomSlide
from stainbridge.phantom.pairs.difficulty import DifficultyRanges
from stainbridge.phantom.space.crop import FloatArray
from stainbridge.phantom.space.cut_line import CutLine
from stainbridge.phantom.space.deformation import DeformationConfig
from stainbridge.phantom.staining.stained_section import StainedSection
from stainbridge.phantom.tissue.config import TissueConfig
from stainbridge.phantom.tissue.organs import ORGANS
from stainbridge.types import Points

#: The smallest other piece of tissue in µm.
_MIN_PIECE_UM = 220.0
#: Colours of felt pens, (r, g, b) in 0..1: blue, black, green, red.
_INKS = ((0.12, 0.32, 0.62), (0.08, 0.08, 0.10), (0.08, 0.45, 0.25), (0.70, 0.12, 0.14))
#: Corners of a slide where other pieces may lie, (x, y) in shares of its size.
_CORNERS = ((0.1, 0.1), (0.9, 0.1), (0.1, 0.9), (0.9, 0.9))


def sample_deformation(
    ranges: DifficultyRanges, side_um: float, rng: np.random.Generator
) -> DeformationConfig:
    """Return a random deformation without tears and folds, for a slide of `side_um`."""
    return DeformationConfig(
        rotation_deg=float(rng.uniform(-ranges.rotation_deg, ranges.rotation_deg)),
        flip=bool(rng.uniform() < ranges.flip_probability),
        scale=float(np.exp(rng.uniform(-ranges.scale, ranges.scale))),
        shear=float(rng.uniform(-ranges.shear, ranges.shear)),
        shift=(
            float(rng.uniform(-ranges.shift, ranges.shift)),
            float(rng.uniform(-ranges.shift, ranges.shift)),
        ),
        elastic_um=float(ranges.elastic * side_um * rng.uniform(0.8, 1.2)),
        elastic_scale=float(rng.uniform(0.25, 0.45)),
    )


def add_tear(slide: PhantomSlide, rng: np.random.Generator) -> PhantomSlide:
    """Return the slide with a tear from inside the section outwards, to its edge."""
    tissue = slide.section.tissue
    ray = _choose_tear_ray(slide, rng)
    edge = ray[np.flatnonzero(slide.tissue_depth_um(ray) > 0)[-1]]
    inward = ray[0] - edge
    length_um = 0.5 * float(np.hypot(*inward)) * rng.uniform(0.85, 1.3)
    outward = -inward / np.hypot(*inward)
    tear = CutLine(
        tip_um=_to_pair(edge - outward * length_um),
        angle_rad=float(np.arctan2(outward[1], outward[0])),
        length_um=length_um,
        width_um=0.013 * tissue.shorter_side_um * rng.uniform(0.8, 1.3),
        phase_rad=float(rng.uniform(0, 2 * np.pi)),
    )
    deformation = replace(slide.deformation, tears=(*slide.deformation.tears, tear))
    return replace(slide, deformation=deformation)


def _choose_tear_ray(slide: PhantomSlide, rng: np.random.Generator) -> Points:
    """Return slide points, (200, 2), from the tissue's middle outwards where there is little fat.

    A tear through fat is hardly seen, so of eight directions the one with the least is taken.
    """
    tissue = slide.section.tissue
    slide_from_tissue = slide.tissue_from_slide.inverse()
    steps = np.linspace(0, 1, 200)[:, None] * 0.5 * tissue.shorter_side_um
    middle = np.array([[tissue.width_um / 2, tissue.height_um / 2]])
    rays = [
        middle + steps * (np.cos(angle), np.sin(angle)) for angle in rng.uniform(0, 2 * np.pi, 8)
    ]
    return slide_from_tissue(
        min(rays, key=lambda ray: float((slide.section.fat_depth_um(ray) > 0).sum()))
    )


def damage_section(
    slide: PhantomSlide, probability: float, rng: np.random.Generator
) -> PhantomSlide:
    """Return the slide with a fold, and with one or two holes, each with the probability."""
    side_um = slide.section.tissue.shorter_side_um
    inside = _sample_tissue_points(slide, rng)
    with_fold, with_holes = rng.uniform(size=2) < probability
    hole_count = int(rng.integers(1, 3))
    angle_rad = float(rng.uniform(0, np.pi))
    length_um = side_um * rng.uniform(0.18, 0.45)
    width_um = side_um * rng.uniform(0.004, 0.011)
    radii_um = side_um * rng.uniform(0.012, 0.035, 2)
    if len(inside) < 3:
        return slide
    if with_fold:
        direction = np.array([np.cos(angle_rad), np.sin(angle_rad)])
        fold = CutLine(
            tip_um=_to_pair(inside[0] - 0.5 * length_um * direction),
            angle_rad=angle_rad,
            length_um=float(length_um),
            width_um=float(width_um),
            phase_rad=float(rng.uniform(0, 2 * np.pi)),
            lens=True,
        )
        slide = replace(slide, deformation=replace(slide.deformation, folds=(fold,)))
    if with_holes:
        centres = inside[1 : 1 + hole_count]
        holes = tuple(
            Hole(_to_pair(centre), float(radius), int(centre[0]))
            for centre, radius in zip(centres, radii_um, strict=False)
        )
        slide = replace(slide, holes=holes)
    return slide


def add_pieces(
    slide: PhantomSlide, probability: float, seed: int, rng: np.random.Generator
) -> PhantomSlide:
    """Return the slide with a row of control tissue, and with a floating scrap of tissue.

    Each comes with the probability, in a corner, where it finds bare glass.
    """
    side_um = min(slide.frame.size_um)
    with_control, with_scrap = rng.uniform(size=2) < probability
    organ = list(ORGANS)[int(rng.integers(len(ORGANS)))]
    control_um, scrap_um = side_um * np.array([rng.uniform(0.09, 0.13), rng.uniform(0.05, 0.075)])
    corners = rng.permutation(np.array(_CORNERS))
    pieces: list[ExtraPiece] = []
    for wanted, size_um, corner in (
        (with_control, control_um, corners[0]),
        (with_scrap, scrap_um, corners[1]),
    ):
        rotation_deg = float(rng.uniform(0, 360))
        if not wanted or size_um < _MIN_PIECE_UM:
            continue
        count = int(rng.integers(1, 4)) if size_um == control_um else 1
        for number in range(count):
            inwards = 1 if corner[1] < 0.5 else -1
            offset = (0, number * 1.1 * size_um / side_um * inwards)
            centre = (corner + offset) * slide.frame.size_um
            if _is_bare_glass(slide, centre, 0.5 * float(size_um)):
                tissue = TissueConfig(
                    seed + 7 + number,
                    float(size_um),
                    float(size_um),
                    0.9,
                    lesion=False,
                    organ=organ,
                )
                section = StainedSection(tissue, slide.section.stain)
                pieces.append(ExtraPiece(section, _to_pair(centre), rotation_deg))
    return replace(slide, pieces=tuple(pieces))


def sample_artefacts(
    slide: PhantomSlide, blur_um: float, probability: float, seed: int, rng: np.random.Generator
) -> tuple[Artefact, ...]:
    """Return random artefacts: each with the probability, and uneven light unless that is 0."""
    side_um = min(slide.frame.size_um)
    pen_margin = float(rng.uniform(0.04, 0.10))
    angle = float(rng.uniform(0, 2 * np.pi))
    pen = _sample_pen_mark(pen_margin, rng)
    bubble_centre = (0.5 + 0.3 * np.cos(angle), 0.5 + 0.3 * np.sin(angle))
    bubble = Bubble(bubble_centre, float(rng.uniform(0.03, 0.09)), seed)
    candidates: tuple[Artefact, ...] = (
        OutOfFocus(max(blur_um, 0.1), float(rng.uniform(0.1, 0.4)), seed),
        bubble,
        pen,
        Dust(int(rng.integers(6, 30)), 0.004 * side_um, seed),
        ScaleBar(float(10 ** np.floor(np.log10(0.25 * side_um)))),
        BlackBorder(),
    )
    selected = rng.uniform(size=len(candidates)) < probability
    if not probability:
        return ()
    uneven_light = UnevenLight(0.02 + 0.05 * probability, seed=seed)
    others = (artefact for artefact, seen in zip(candidates, selected, strict=True) if seen)
    return (uneven_light, *others)


def _sample_pen_mark(margin: float, rng: np.random.Generator) -> PenMark:
    """Return a stroke down one side of the slide, or a ring around a part of it.

    `margin` is the stroke's distance from the side, as a share of the slide's size.
    """
    start = float(rng.uniform(0.05, 0.4))
    sway = float(rng.uniform(5, 14))
    slope = float(rng.uniform(-0.08, 0.12))
    ink = _INKS[rng.integers(len(_INKS))]
    if rng.uniform() < 0.25:
        return _sample_pen_ring(ink, rng)
    down = np.linspace(start, start + rng.uniform(0.2, 0.5), 24)
    side = -1 if rng.uniform() < 0.5 else 1
    across = 0.5 + side * (0.5 - margin - 0.02 * np.sin(sway * down) - slope * (down - start))
    stroke = np.stack([across, down], axis=1)
    return PenMark(tuple(_to_pair(point) for point in stroke), 0.012, ink)


def _sample_pen_ring(ink: tuple[float, float, float], rng: np.random.Generator) -> PenMark:
    angle = np.linspace(0.2, 0.2 + 2.05 * np.pi, 48)
    radius = rng.uniform(0.08, 0.16)
    centre = rng.uniform(0.35, 0.65, 2)
    unit = np.stack([np.cos(angle) * (1 + 0.04 * angle), 0.8 * np.sin(angle)], axis=1)
    ring = centre + radius * unit
    return PenMark(tuple(_to_pair(point) for point in ring), 0.007, ink)


def _sample_tissue_points(slide: PhantomSlide, rng: np.random.Generator) -> Points:
    """Return up to a few dozen points well inside the section as it lies, (N, 2) µm."""
    points = rng.uniform(0.15, 0.85, (120, 2)) * slide.frame.size_um
    deep = slide.tissue_depth_um(points) > 0.06 * slide.section.tissue.shorter_side_um
    fat_depth = slide.section.fat_depth_um(slide.tissue_from_slide(points))
    return np.asarray(points[deep & (fat_depth < 0)])


def _is_bare_glass(slide: PhantomSlide, centre: FloatArray, radius_um: float) -> bool:
    """Return whether a disc of the slide holds none of the section's tissue."""
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    ring = centre + 1.1 * radius_um * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return bool((slide.tissue_depth_um(np.vstack([ring, centre[None]])) < 0).all())


def _to_pair(point: FloatArray) -> tuple[float, float]:
    return float(point[0]), float(point[1])
