"""Two generated slides of several pieces each, and the exact map of each piece.

Pieces are turned, a few mirrored, some swapped, some missing; one slide may have control tissue.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np

from stainbridge.geometry.frame import Frame, Space
from stainbridge.geometry.landmarks import Landmarks
from stainbridge.geometry.piecewise import PieceRegion, Piecewise, TransformedPiece
from stainbridge.geometry.transform import Transform
from stainbridge.geometry.warp import sample_mask
from stainbridge.phantom.glass.fragment import Fragment
from stainbridge.phantom.glass.fragment_slide import FragmentSlide
from stainbridge.phantom.pairs.fragment_config import FragmentsConfig
from stainbridge.phantom.pairs.fragment_sampling import (
    Layout,
    choose_stain,
    draw_deformation,
    draw_layout,
    make_control,
)
from stainbridge.phantom.pairs.generated_pair import GeneratedPair
from stainbridge.phantom.pairs.landmarks import spread_points
from stainbridge.phantom.space.randomness import derive_key
from stainbridge.phantom.staining.laboratory import Laboratory
from stainbridge.phantom.staining.stained_section import StainedSection
from stainbridge.types import Mask, Points

#: How much laboratories differ; 1 is what is seen between institutes.
LABORATORY_VARIATION = 0.6
#: Landmarks keep this share of the piece's radius from its outline.
LANDMARK_DEPTH = 0.06
#: Points that landmarks of a piece are chosen from.
CANDIDATES = 600


@dataclass(frozen=True, eq=False, repr=False)
class FragmentPair(GeneratedPair):
    """Two slides of several pieces each, and landmarks in every piece that both have."""

    config: FragmentsConfig
    """What was asked for."""
    fixed: FragmentSlide
    """The fixed slide."""
    moving: FragmentSlide
    """The moving slide."""
    truth: Piecewise
    """The exact map of each piece that both slides have, moving_from_fixed."""
    fixed_landmarks: Landmarks
    """Landmarks on the fixed slide; labels begin with the piece's name."""
    moving_landmarks: Landmarks
    """The corresponding landmarks on the moving slide."""

    @property
    def partners(self) -> tuple[str, ...]:
        """The names of the pieces that both slides have."""
        names = {fragment.name for fragment in self.moving.fragments}
        return tuple(item.name for item in self.fixed.fragments if item.name in names)

    def find_valid(self, fixed_um: Points) -> Mask:
        """Return at which fixed points the truth is a correspondence of tissue, (N,)."""
        valid = np.zeros(len(fixed_um), bool)
        for name in self.partners:
            fixed, moving = self.fixed.find_fragment(name), self.moving.find_fragment(name)
            assert fixed is not None
            assert moving is not None
            inside = np.flatnonzero(fixed.depth_um(fixed_um) > 0)
            valid[inside] = moving.depth_um(_connect(fixed, moving)(fixed_um[inside])) > 0
        return valid

    def measure_ghosts(self, transform: Transform, margin_um: float) -> float:
        """Return how much tissue a transform shows on bare glass, over all moving tissue.

        `transform` is moving_from_fixed. Glass of the fixed slide is bare farther than `margin_um`
        from all tissue there: nothing of the moving slide belongs on it.
        """
        frame = self.fixed.frame
        fixed, moving = (
            slide.mounted.draw_classes(slide.frame) > 0 for slide in (self.fixed, self.moving)
        )
        distance_px = cv2.distanceTransform(
            (~fixed).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE
        )
        shown = sample_mask(moving, self.moving.frame, transform, frame)
        ghosts = shown & (distance_px > margin_um / self.config.mpp)
        return float(ghosts.sum() / moving.sum())


def generate_fragments(config: FragmentsConfig | None = None, **changes: Any) -> FragmentPair:
    """Generate slides of several pieces from a configuration, or from its fields by name.

    Nothing is rendered until the slides are read. Raises `InputError` for impossible fields.
    """
    config = replace(config or FragmentsConfig(), **changes)
    rng = np.random.default_rng(derive_key(config.seed, "fragments"))
    layout = draw_layout(config, rng)
    fixed = _generate_slide(config, layout, "fixed", rng)
    moving = _generate_slide(config, layout, "moving", rng)
    truth = _connect_slides(fixed, moving)
    return FragmentPair(config, fixed, moving, truth, *_choose_landmarks(config, fixed, moving))


def _generate_slide(
    config: FragmentsConfig, layout: Layout, side: str, rng: np.random.Generator
) -> FragmentSlide:
    """Return one side of the pair: its pieces stained, mounted and scanned."""
    frame = _make_frame(config, side)
    stain = choose_stain(config, side)
    depth_um = config.distance_um if side == "moving" else 0.0
    section = StainedSection(layout.tissue, stain, depth_um)
    fragments = [
        Fragment(
            name=f"piece {number + 1}",
            section=section,
            cut=cut,
            centre_um=layout.place(number, side),
            deformation=draw_deformation(config, side, layout.radius_um, rng),
            slide=frame,
            seed=derive_key(config.seed, side, number),
        )
        for number, cut in enumerate(layout.cuts)
    ]
    present = [item for n, item in enumerate(fragments) if layout.missing.get(n) != side]
    if layout.control_side == side:
        place = layout.slots[-1]
        present.append(make_control(config, stain, place, layout.radius_um, frame))
    scanner = np.random.default_rng(derive_key(config.seed, side, "scan"))
    laboratory = Laboratory.sample(scanner, LABORATORY_VARIATION, False)
    seed = derive_key(config.seed, side)
    return FragmentSlide(tuple(present), frame, laboratory, seed=seed)


def _make_frame(config: FragmentsConfig, side: str) -> Frame:
    name = f"{config.arrangement} {config.seed} {side}"
    return Space(name, config.size_px, config.size_px, (config.mpp, config.mpp)).frame


def _connect(fixed: Fragment, moving: Fragment) -> Transform:
    """Return the map between the places of one piece on both slides."""
    return fixed.tissue_from_slide.then(moving.tissue_from_slide.inverse())


def _connect_slides(fixed: FragmentSlide, moving: FragmentSlide) -> Piecewise:
    """Return the exact map of all pieces that both slides have, the largest first."""
    pieces = []
    for fragment in fixed.fragments:
        partner = moving.find_fragment(fragment.name)
        if partner is not None:
            regions = fixed.locate_fragment(fragment), moving.locate_fragment(partner)
            pieces.append(TransformedPiece(_connect(fragment, partner), *regions))
    pieces.sort(key=lambda piece: -piece.source_region.area_um2)
    return Piecewise(
        tuple(pieces),
        source_alone=_locate_alone(fixed, moving),
        target_alone=_locate_alone(moving, fixed),
    )


def _locate_alone(slide: FragmentSlide, other: FragmentSlide) -> PieceRegion | None:
    """Return where the pieces lie that the other slide does not have; None without any."""
    alone = [
        slide.locate_fragment(fragment)
        for fragment in slide.fragments
        if other.find_fragment(fragment.name) is None
    ]
    if not alone:
        return None
    return PieceRegion(np.any([region.mask for region in alone], axis=0), alone[0].frame)


def _choose_landmarks(
    config: FragmentsConfig, fixed: FragmentSlide, moving: FragmentSlide
) -> tuple[Landmarks, Landmarks]:
    """Return landmarks spread over each piece that both slides have, out of hardly seen fat."""
    fixed_um: list[Points] = []
    moving_um: list[Points] = []
    labels: list[str] = []
    for fragment in fixed.fragments:
        partner = moving.find_fragment(fragment.name)
        if partner is None:
            continue
        rng = np.random.default_rng(derive_key(config.seed, fragment.name))
        radius_um = fragment.cut.radius_um
        points = fragment.centre_um + rng.uniform(-radius_um, radius_um, (CANDIDATES, 2))
        mapped = _connect(fragment, partner)(points)
        depth = np.minimum(fragment.depth_um(points), partner.depth_um(mapped))
        depth = np.minimum(depth, -fragment.fat_depth_um(points))
        usable = np.flatnonzero(depth > LANDMARK_DEPTH * radius_um)
        chosen = spread_points(points, usable, config.landmarks)
        fixed_um.append(points[chosen])
        moving_um.append(mapped[chosen])
        labels += [f"{fragment.name}: {n + 1}" for n in range(len(chosen))]
    names = tuple(labels)
    return (
        Landmarks(fixed.frame.to_px(np.vstack(fixed_um)), names, fixed.frame),
        Landmarks(moving.frame.to_px(np.vstack(moving_um)), names, moving.frame),
    )
