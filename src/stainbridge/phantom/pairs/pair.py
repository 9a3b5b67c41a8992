"""A pair of generated slides of neighbouring sections, and the exact map between them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Space
from stainbridge.geometry.landmarks import Landmarks
from stainbridge.geometry.transform import Transform
from stainbridge.phantom.glass.slide import PhantomSlide
from stainbridge.phantom.pairs.config import ANY_ORGAN, PairConfig
from stainbridge.phantom.pairs.difficulty import DIFFICULTIES, DifficultyRanges
from stainbridge.phantom.pairs.generated_pair import GeneratedPair
from stainbridge.phantom.pairs.landmarks import choose_landmarks
from stainbridge.phantom.pairs.sampling import (
    add_pieces,
    add_tear,
    damage_section,
    sample_artefacts,
    sample_deformation,
)
from stainbridge.phantom.pairs.truth import find_valid_points
from stainbridge.phantom.space.deformation import DeformationConfig
from stainbridge.phantom.space.randomness import derive_key
from stainbridge.phantom.staining.contrast import RANDOM_STAIN, sample_stain
from stainbridge.phantom.staining.laboratory import Laboratory
from stainbridge.phantom.staining.library import find_stain
from stainbridge.phantom.staining.stain import Stain
from stainbridge.phantom.staining.stained_section import StainedSection
from stainbridge.phantom.tissue.config import TissueConfig
from stainbridge.phantom.tissue.organs import ORGANS
from stainbridge.types import Mask, Points

#: Side of the block of tissue that runs over the edges of its slides, in sides of the slide.
_OVERRUN = 1.5
#: The fixed slide is handled with more care: its probabilities of damage are this share.
_FIXED_SHARE = 1 / 3


@dataclass(frozen=True, eq=False, repr=False)
class PhantomPair(GeneratedPair):
    """Two generated slides, and landmarks that correspond by the exact map between them.

    A pair is pickled without `truth`, which a copy makes again from the slides.
    """

    config: PairConfig
    """What was asked for."""
    fixed: PhantomSlide
    """The fixed slide."""
    moving: PhantomSlide
    """The moving slide."""
    truth: Transform
    """The exact map between the slides, moving_from_fixed; it can be inverted."""
    fixed_landmarks: Landmarks
    """Landmarks on the fixed slide."""
    moving_landmarks: Landmarks
    """The corresponding landmarks on the moving slide."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Return how to make a copy of the pair."""
        landmarks = (self.fixed_landmarks, self.moving_landmarks)
        return _assemble_pair, (self.config, self.fixed, self.moving, *landmarks)

    def find_valid(self, fixed_um: Points) -> Mask:
        """Return at which fixed points the truth is a correspondence of tissue, (N,)."""
        return find_valid_points(self.fixed, self.moving, self.truth, fixed_um)


def generate_pair(config: PairConfig | None = None, **changes: object) -> PhantomPair:
    """Generate a pair from a configuration, or from its fields by name.

    Nothing is rendered until the slides are read.

    Args:
        config: A configuration; None: the default one.
        **changes: Fields of `PairConfig`: `seed`, `size_px` (side of both slides), `mpp` (µm per
            pixel), `fixed_stain`, `moving_stain`, `difficulty` ("easy",
            "real", "hard", "faint" or "dense"), `organ`, `rotation_deg`, `flip` and more.
            docs/phantom.md lists them.

    Returns:
        The pair: `fixed` and `moving` slides, `truth` (moving from fixed), `fixed_landmarks` and
        `moving_landmarks`.

    Raises:
        InputError: Unknown or impossible fields.

    Example:
        >>> pair = stainbridge.generate_pair(seed=3, size_px=256, mpp=4.0, moving_stain="Ki67")
        >>> pair
        <PhantomPair HE and Ki67: 256 x 256 px, 4 µm/px, 80 landmarks>
        >>> pair.fixed.read(pair.fixed.frame).pixels.shape
        (3, 256, 256)

    """
    unknown = set(changes) - set(PairConfig.__dataclass_fields__)
    if unknown:
        raise InputError(
            "unknown setting of a pair",
            expected=", ".join(PairConfig.__dataclass_fields__),
            got=unknown,
        )
    config = replace(config or PairConfig(), **changes)  # type: ignore[arg-type]
    ranges = DIFFICULTIES[config.difficulty]
    rng = _create_generator(config, "pair")
    deformation = _override_deformation(
        config, sample_deformation(ranges, config.size_px * config.mpp, rng)
    )
    slight = DeformationConfig(elastic_um=0.25 * deformation.elastic_um)
    fixed = _generate_slide(config, ranges, "fixed", config.fixed_stain, slight)
    moving = _generate_slide(config, ranges, "moving", config.moving_stain, deformation)
    truth = _connect_slides(fixed, moving)
    landmarks = choose_landmarks(fixed, moving, truth, config.landmarks, rng)
    return PhantomPair(config, fixed, moving, truth, *landmarks)


def _assemble_pair(
    config: PairConfig,
    fixed: PhantomSlide,
    moving: PhantomSlide,
    fixed_landmarks: Landmarks,
    moving_landmarks: Landmarks,
) -> PhantomPair:
    """Return a pair whose truth is made from its slides."""
    truth = _connect_slides(fixed, moving)
    return PhantomPair(config, fixed, moving, truth, fixed_landmarks, moving_landmarks)


def _connect_slides(fixed: PhantomSlide, moving: PhantomSlide) -> Transform:
    """Return the map from fixed to moving points, through the tissue they share."""
    return fixed.tissue_from_slide.then(moving.tissue_from_slide.inverse())


def _create_generator(config: PairConfig, *names: str) -> np.random.Generator:
    """Return a generator of its own for each purpose.

    So the settings of one do not shift the draws of another.
    """
    return np.random.default_rng(derive_key(config.seed, *names))


def _override_deformation(config: PairConfig, sampled: DeformationConfig) -> DeformationConfig:
    """Return the sampled deformation with the values that the configuration gives."""
    given = {
        "rotation_deg": config.rotation_deg,
        "flip": config.flip,
        "scale": config.scale,
        "elastic_um": config.elastic_um,
    }
    overrides = {name: value for name, value in given.items() if value is not None}
    return replace(sampled, **overrides)  # type: ignore[arg-type]


def _generate_slide(
    config: PairConfig,
    ranges: DifficultyRanges,
    side: str,
    stain_name: str,
    deformation: DeformationConfig,
) -> PhantomSlide:
    """Return one side of the pair: its section stained, mounted, damaged and scanned."""
    stain = _choose_stain(config, side, stain_name)
    distance_um = ranges.distance_um if config.distance_um is None else config.distance_um
    section = StainedSection(
        _choose_tissue(config, ranges), stain, distance_um if side == "moving" else 0.0
    )
    mpp = (config.mpp, config.mpp)
    space = Space(f"phantom {config.seed} {side}", config.size_px, config.size_px, mpp)
    rng = _create_generator(config, side, "scan")
    faint = stain.is_immunostain and _decide(config.faint, ranges.faint_probability, rng)
    slide = PhantomSlide(
        section,
        space.frame,
        deformation,
        _dye_unusually(
            Laboratory.sample(rng, ranges.laboratory_variation, faint), config, ranges, side
        ),
        jpeg_quality=int(rng.integers(*ranges.jpeg_quality)),
        seed=derive_key(config.seed, side),
    )
    return _damage_slide(slide, config, ranges, side)


def _damage_slide(
    slide: PhantomSlide, config: PairConfig, ranges: DifficultyRanges, side: str
) -> PhantomSlide:
    """Return the slide with a tear, other damage, other pieces and artefacts."""
    share = 1.0 if side == "moving" else _FIXED_SHARE
    tear_generator = _create_generator(config, "tear?")
    if side == "moving" and _decide(config.tear, ranges.tear_probability, tear_generator):
        slide = add_tear(slide, _create_generator(config, "tear"))
    damage = share * _override_probability(config.damage, ranges.damage_probability)
    slide = damage_section(slide, damage, _create_generator(config, side, "damage"))
    pieces = share * _override_probability(config.damage, ranges.piece_probability)
    slide = add_pieces(slide, pieces, config.seed, _create_generator(config, side, "pieces"))
    artefacts = sample_artefacts(
        slide,
        ranges.blur_um,
        share * _override_probability(config.artefacts, ranges.artefact_probability),
        derive_key(config.seed, side),
        _create_generator(config, side, "artefacts"),
    )
    return replace(slide, artefacts=artefacts)


def _dye_unusually(
    laboratory: Laboratory, config: PairConfig, ranges: DifficultyRanges, side: str
) -> Laboratory:
    """Return the laboratory with the counterstain and the density of the difficulty.

    The counterstain is that of the moving slide, of the fixed one where that alone has a marker.
    """
    rng = _create_generator(config, "dyes")
    counterstain, density = (
        float(np.exp(rng.uniform(*np.log(limits))))
        for limits in (ranges.counterstain, ranges.density)
    )
    sides = {"fixed": config.fixed_stain, "moving": config.moving_stain}
    marked = [name for name in sides if _choose_stain(config, name, sides[name]).is_immunostain]
    first = counterstain if marked and side == marked[-1] else 1.0
    every = density if side == "moving" else 1.0
    amounts = np.array(laboratory.strength) * every * (first, 1, 1)
    return replace(laboratory, strength=tuple(amounts.tolist()))


def _choose_tissue(config: PairConfig, ranges: DifficultyRanges) -> TissueConfig:
    """Return the block of tissue that both sections are cut from."""
    overruns = _create_generator(config, "overrun").uniform() < ranges.overrun_probability
    size_um = config.size_px * config.mpp * (_OVERRUN if overruns else 1)
    if config.organ != ANY_ORGAN:
        return TissueConfig(config.seed, size_um, size_um, organ=config.organ)
    number = int(_create_generator(config, "organ").integers(len(ORGANS)))
    return TissueConfig(config.seed, size_um, size_um, organ=list(ORGANS)[number])


def _choose_stain(config: PairConfig, side: str, stain_name: str) -> Stain:
    if stain_name == RANDOM_STAIN:
        return sample_stain(_create_generator(config, side, RANDOM_STAIN))
    return find_stain(stain_name)


def _decide(wanted: bool | None, probability: float, rng: np.random.Generator) -> bool:
    """Return what is wanted, or a random decision."""
    lot = rng.uniform()
    return bool(lot < probability) if wanted is None else wanted


def _override_probability(wanted: bool | None, probability: float) -> float:
    """Return the probability, or certainty where the configuration decides."""
    return probability if wanted is None else float(wanted)
