"""What is drawn at random for one pair: how its sections lie, what happened to them, what else the
scanner saw.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from stainbridge.phantom.pairs.difficulty import DifficultyRanges
from stainbridge.phantom.glass.artefacts import (
    Artefact,
    BlackBorder,
    Dust,
    PenMark,
    ScaleBar,
    UnevenLight,
)
from stainbridge.phantom.glass.damage import Hole, ExtraPiece
from stainbridge.phantom.glass.optics import Bubble, OutOfFocus
from stainbridge.phantom.glass.slide import PhantomSlide
from stainbridge.phantom.space.deformation import DeformationConfig
from stainbridge.phantom.space.cut_line import CutLine
from stainbridge.phantom.staining.stained_section import StainedSection
from stainbridge.phantom.tissue.organs import ORGANS
from stainbridge.phantom.tissue.zones import TissueConfig
from stainbridge.types import Points

#: The smallest other piece of tissue, in µm.
_SMALLEST_PIECE_UM = 220.0
_INKS = ((0.12, 0.32, 0.62), (0.08, 0.08, 0.10), (0.08, 0.45, 0.25), (0.70, 0.12, 0.14))


def sample_deformation(span: DifficultyRanges, side_um: float, rng: np.random.Generator) -> DeformationConfig:
    """A section's placement, whole."""
    return DeformationConfig(
        rotation_deg=float(rng.uniform(-span.rotation_deg, span.rotation_deg)),
        flip=bool(rng.uniform() < span.flip),
        scale=float(np.exp(rng.uniform(-span.scale, span.scale))),
        shear=float(rng.uniform(-span.shear, span.shear)),
        shift=(
            float(rng.uniform(-span.shift, span.shift)),
            float(rng.uniform(-span.shift, span.shift)),
        ),
        elastic_um=float(span.elastic * side_um * rng.uniform(0.8, 1.2)),
        elastic_scale=float(rng.uniform(0.25, 0.45)),
    )


def add_tear(slide: PhantomSlide, rng: np.random.Generator) -> PhantomSlide:
    """The slide with a cut from inside the section outwards, long enough to reach its edge."""
    tissue, push = slide.section.tissue, slide.pull.inverse()
    steps = np.linspace(0, 1, 200)[:, None] * 0.5 * tissue.size_um
    rays = [
        np.array([[tissue.width_um / 2, tissue.height_um / 2]])
        + steps * (np.cos(angle), np.sin(angle))
        for angle in rng.uniform(0, 2 * np.pi, 8)
    ]
    # A tear through fat is hardly seen: of eight directions, the one with the least fat.
    ray = push(min(rays, key=lambda ray: float((slide.section.fat_depth_um(ray) > 0).sum())))
    edge = ray[np.flatnonzero(slide.tissue_depth_um(ray) > 0)[-1]]
    inward = ray[0] - edge
    length_um = 0.5 * float(np.hypot(*inward)) * rng.uniform(0.85, 1.3)
    away = -inward / np.hypot(*inward)
    tip = edge - away * length_um
    cut = CutLine(
        (float(tip[0]), float(tip[1])),
        float(np.arctan2(away[1], away[0])),
        length_um,
        0.013 * tissue.size_um * rng.uniform(0.8, 1.3),
        float(rng.uniform(0, 2 * np.pi)),
    )
    return replace(
        slide, deformation=replace(slide.deformation, tears=(*slide.deformation.tears, cut))
    )


def damage_section(slide: PhantomSlide, chance: float, rng: np.random.Generator) -> PhantomSlide:
    """The slide with a fold, and with up to two missing pieces, each by `chance`."""
    side = slide.section.tissue.size_um
    inside = _tissue_points(slide, rng)
    fold_here, hole_here = rng.uniform(size=2) < chance
    holes, angle = int(rng.integers(1, 3)), float(rng.uniform(0, np.pi))
    length, width = side * rng.uniform(0.18, 0.45), side * rng.uniform(0.004, 0.011)
    radii = side * rng.uniform(0.012, 0.035, 2)
    if len(inside) < 3:
        return slide
    if fold_here:
        tip = inside[0] - 0.5 * length * np.array([np.cos(angle), np.sin(angle)])
        fold = CutLine(
            _pair(tip),
            angle,
            float(length),
            float(width),
            float(rng.uniform(0, 2 * np.pi)),
            lens=True,
        )
        slide = replace(slide, deformation=replace(slide.deformation, folds=(fold,)))
    if hole_here:
        made = zip(inside[1 : 1 + holes], radii, strict=False)
        slide = replace(slide, holes=tuple(Hole(_pair(at), float(r), int(at[0])) for at, r in made))
    return slide


def add_pieces(
    slide: PhantomSlide, chance: float, seed: int, rng: np.random.Generator
) -> PhantomSlide:
    """The slide with a row of control tissue at its rim, and with a floating scrap of tissue, each
    by `chance`.
    """
    side = min(slide.frame.size_um)
    control_here, floater_here = rng.uniform(size=2) < chance
    organ = list(ORGANS)[int(rng.integers(len(ORGANS)))]
    sizes = side * np.array([rng.uniform(0.09, 0.13), rng.uniform(0.05, 0.075)])
    corners = rng.permutation(np.array([[0.1, 0.1], [0.9, 0.1], [0.1, 0.9], [0.9, 0.9]]))
    pieces: list[ExtraPiece] = []
    for here, size, corner in zip(
        (control_here, floater_here), sizes, (corners[0], corners[1]), strict=True
    ):
        turn = float(rng.uniform(0, 360))
        if not here or size < _SMALLEST_PIECE_UM:
            continue
        count = int(rng.integers(1, 4)) if size == sizes[0] else 1
        for number in range(count):
            middle = (
                corner + (0, number * 1.1 * size / side * (1 if corner[1] < 0.5 else -1))
            ) * slide.frame.size_um
            if _on_glass(slide, middle, 0.5 * float(size)):
                tissue = TissueConfig(
                    seed + 7 + number, float(size), float(size), 0.9, lesion=False, organ=organ
                )
                pieces.append(ExtraPiece(StainedSection(tissue, slide.section.stain), _pair(middle), turn))
    return replace(slide, pieces=tuple(pieces))


def sample_artefacts(
    slide: PhantomSlide, span: DifficultyRanges, chance: float, seed: int, rng: np.random.Generator
) -> tuple[Artefact, ...]:
    """Uneven light if anything, and each other artefact by `chance`."""
    side_um = min(slide.frame.size_um)
    x, angle = float(rng.uniform(0.04, 0.10)), float(rng.uniform(0, 2 * np.pi))
    pen = _pen(x, rng)
    bubble = Bubble(
        (0.5 + 0.3 * np.cos(angle), 0.5 + 0.3 * np.sin(angle)), float(rng.uniform(0.03, 0.09)), seed
    )
    others: tuple[Artefact, ...] = (
        OutOfFocus(max(span.blur_um, 0.1), float(rng.uniform(0.1, 0.4)), seed),
        bubble,
        pen,
        Dust(int(rng.integers(6, 30)), 0.004 * side_um, seed),
        ScaleBar(float(10 ** np.floor(np.log10(0.25 * side_um)))),
        BlackBorder(),
    )
    here = rng.uniform(size=len(others)) < chance
    chosen = tuple(artefact for artefact, there in zip(others, here, strict=True) if there)
    return (UnevenLight(0.02 + 0.05 * chance, seed=seed), *chosen) if chance else ()


def _pen(x: float, rng: np.random.Generator) -> PenMark:
    """A stroke down one side of the slide, or a ring around a part of it, in one of the usual inks."""
    start, sway, bend = (
        float(rng.uniform(0.05, 0.4)),
        float(rng.uniform(5, 14)),
        float(rng.uniform(-0.08, 0.12)),
    )
    colour = _INKS[rng.integers(len(_INKS))]
    if rng.uniform() < 0.25:
        turn = np.linspace(0.2, 0.2 + 2.05 * np.pi, 48)
        radius, middle = rng.uniform(0.08, 0.16), rng.uniform(0.35, 0.65, 2)
        ring = middle + radius * np.stack(
            [np.cos(turn) * (1 + 0.04 * turn), 0.8 * np.sin(turn)], axis=1
        )
        return PenMark(tuple(_pair(point) for point in ring), 0.007, colour)
    down = np.linspace(start, start + rng.uniform(0.2, 0.5), 24)
    side = -1 if rng.uniform() < 0.5 else 1
    across = 0.5 + side * (0.5 - x - 0.02 * np.sin(sway * down) - bend * (down - start))
    return PenMark(tuple(_pair(point) for point in np.stack([across, down], axis=1)), 0.012, colour)


def _tissue_points(slide: PhantomSlide, rng: np.random.Generator) -> Points:
    """Up to a few dozen places well inside the section as it lies, (N, 2) µm, in random order."""
    points = rng.uniform(0.15, 0.85, (120, 2)) * slide.frame.size_um
    deep = slide.tissue_depth_um(points) > 0.06 * slide.section.tissue.size_um
    return np.asarray(points[deep & (slide.section.fat_depth_um(slide.pull(points)) < 0)])


def _on_glass(slide: PhantomSlide, middle: npt.NDArray[np.floating], radius_um: float) -> bool:
    """Whether a disc of the slide holds none of the section's tissue."""
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    ring = middle + 1.1 * radius_um * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return bool((slide.tissue_depth_um(np.vstack([ring, middle[None]])) < 0).all())


def _pair(point: npt.NDArray[np.floating]) -> tuple[float, float]:
    return float(point[0]), float(point[1])
