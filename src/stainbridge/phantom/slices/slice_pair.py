"""A slice of a stack in two stains, and the exact map between them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from stainbridge.geometry.frame import Space
from stainbridge.geometry.landmarks import Landmarks
from stainbridge.geometry.transform import Transform
from stainbridge.phantom.glass.slide import PhantomSlide
from stainbridge.phantom.pairs.config import ANY_ORGAN
from stainbridge.phantom.pairs.landmarks import choose_landmarks
from stainbridge.phantom.pairs.sampling import add_tear, damage_section, sample_deformation
from stainbridge.phantom.slices.config import SliceStackConfig
from stainbridge.phantom.space.deformation import DeformationConfig, Drift
from stainbridge.phantom.space.randomness import derive_key
from stainbridge.phantom.staining.contrast import RANDOM_STAIN, sample_stain
from stainbridge.phantom.staining.laboratory import Laboratory
from stainbridge.phantom.staining.library import find_stain
from stainbridge.phantom.staining.stain import Stain
from stainbridge.phantom.staining.stained_section import StainedSection
from stainbridge.phantom.tissue.config import TissueConfig
from stainbridge.phantom.tissue.organs import ORGANS

#: How much the dyes of one laboratory's slices differ, as a logarithm, at variation 1.
_SLICE_VARIATION = 0.06


@dataclass(frozen=True, eq=False)
class SlicePair:
    """One slice of a stack: a fixed and a moving slide, drawn when they are read."""

    name: str
    """The name of the slice."""
    fixed: PhantomSlide
    """The fixed slice: the plane of the block, moved by the stack's drift alone."""
    moving: PhantomSlide
    """The moving slice: a section beside that plane, roughly aligned and deformed."""
    truth: Transform
    """The exact map between them, moving_from_fixed; it can be inverted."""
    fixed_landmarks: Landmarks
    """Landmarks on the fixed slice."""
    moving_landmarks: Landmarks
    """The corresponding landmarks on the moving slice."""


def generate_slice(config: SliceStackConfig, number: int, seed: int = 0) -> SlicePair:
    """Return slice `number` of the stack of a seed.

    Slices share the block of tissue, its drift, the stains and the laboratories. Each moving slice
    has a deformation and damage of its own. Nothing is drawn until the slides are read.
    """
    ranges = config.ranges
    drift = Drift(
        depth_um=number * config.spacing_um,
        seed=derive_key(seed, "drift"),
        elastic_um=config.drift * config.side_um,
    )
    rng = _create_generator(seed, "slice", number)
    deformation = replace(sample_deformation(ranges, config.side_um, rng), drift=drift)
    fixed = _mount_slice(config, number, seed, "fixed", DeformationConfig(drift=drift))
    moving = _mount_slice(config, number, seed, "moving", deformation)
    if rng.uniform() < ranges.tear_probability:
        moving = add_tear(moving, rng)
    moving = damage_section(moving, ranges.damage_probability, rng)
    truth = fixed.tissue_from_slide.then(moving.tissue_from_slide.inverse())
    landmarks = choose_landmarks(fixed, moving, truth, config.landmarks, rng)
    return SlicePair(f"slice_{number:03d}", fixed, moving, truth, *landmarks)


def _mount_slice(
    config: SliceStackConfig, number: int, seed: int, side: str, deformation: DeformationConfig
) -> PhantomSlide:
    """Return one side of a slice: its section stained and mounted."""
    stain = _choose_stain(config, seed, side)
    distance_um = config.ranges.distance_um if side == "moving" else 0.0
    depth_um = number * config.spacing_um + distance_um
    section = StainedSection(_choose_tissue(config, seed), stain, depth_um)
    mpp = (config.mpp, config.mpp)
    space = Space(f"slice {number} {side}", config.size_px, config.size_px, mpp)
    return PhantomSlide(
        section,
        space.frame,
        deformation,
        _choose_laboratory(config, number, seed, side, stain),
        seed=derive_key(seed, side, number),
    )


def _choose_tissue(config: SliceStackConfig, seed: int) -> TissueConfig:
    """Return the block of tissue that all slices are cut from."""
    organ = config.organ
    if organ == ANY_ORGAN:
        organ = list(ORGANS)[_create_generator(seed, "organ").integers(len(ORGANS))]
    return TissueConfig(seed, config.side_um, config.side_um, organ=organ)


def _choose_stain(config: SliceStackConfig, seed: int, side: str) -> Stain:
    name = config.fixed_stain if side == "fixed" else config.moving_stain
    if name == RANDOM_STAIN:
        return sample_stain(_create_generator(seed, side, RANDOM_STAIN))
    return find_stain(name)


def _choose_laboratory(
    config: SliceStackConfig, number: int, seed: int, side: str, stain: Stain
) -> Laboratory:
    """Return the laboratory of one side; its dyes differ a little from slice to slice."""
    ranges = config.ranges
    rng = _create_generator(seed, side, "laboratory")
    faint = stain.is_immunostain and bool(rng.uniform() < ranges.faint_probability)
    laboratory = Laboratory.sample(rng, ranges.laboratory_variation, faint)
    spread = _SLICE_VARIATION * ranges.laboratory_variation
    factors = _create_generator(seed, side, "dyes", number).normal(0, spread, 3)
    strength: npt.NDArray[np.float64] = np.exp(factors) * laboratory.strength
    first, second, third = strength.tolist()
    return replace(laboratory, strength=(first, second, third))


def _create_generator(seed: int, *names: object) -> np.random.Generator:
    """Return a generator of its own for each purpose, so that none shifts another's draws."""
    return np.random.default_rng(derive_key(seed, *names))
