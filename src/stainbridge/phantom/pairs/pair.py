"""A pair of generated slides of neighbouring sections, and the exact map between them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame, Space
from stainbridge.geometry.landmarks import Landmarks
from stainbridge.geometry.transform import DisplacementField, Transform
from stainbridge.imaging.image import Image
from stainbridge.phantom.pairs.sampling import (
    add_pieces,
    damage_section,
    sample_artefacts,
    sample_deformation,
    add_tear,
)
from stainbridge.phantom.pairs.difficulty import DIFFICULTIES, DifficultyRanges
from stainbridge.phantom.pairs.difficulty import Difficulty as Difficulty
from stainbridge.phantom.glass.slide import PhantomSlide
from stainbridge.phantom.space.deformation import DeformationConfig
from stainbridge.phantom.space.randomness import derive_key
from stainbridge.phantom.staining.contrast import RANDOM_STAIN, sample_stain
from stainbridge.phantom.staining.laboratory import Laboratory
from stainbridge.phantom.staining.library import find_stain
from stainbridge.phantom.staining.stained_section import StainedSection
from stainbridge.phantom.tissue.organs import ORGANS, find_organ
from stainbridge.phantom.tissue.zones import TissueConfig
from stainbridge.phantom.tissue.structure_centres import locate_structures
from stainbridge.types import Mask, Points

#: As an organ: one of all, by the seed.
ANY_ORGAN = "any"
#: The fixed slide is handled with more care.
_FIXED_SHARE = 1 / 3


@dataclass(frozen=True)
class PairConfig:
    """What pair to generate; None means drawn from the seed within the difficulty's range.

    `size_px` is the side of both slides, `mpp` their pixel size in µm, so that the section is about
    `0.8 · size_px · mpp` µm across. `organ` is one of `organs.ORGANS`, or "any"; the stain "random"
    has the colours of chance. `elastic_um` is the root mean square elastic displacement of the
    moving section, `distance_um` the distance between the sections. `damage` is folds, holes and
    other pieces on the glass. Raises `InputError` for values that make no slide.
    """

    seed: int = 0
    size_px: int = 2048
    mpp: float = 2.0
    fixed_stain: str = "HE"
    moving_stain: str = "PanCK"
    difficulty: Difficulty = "real"
    organ: str = "gland"
    rotation_deg: float | None = None
    flip: bool | None = None
    scale: float | None = None
    elastic_um: float | None = None
    distance_um: float | None = None
    tear: bool | None = None
    damage: bool | None = None
    artefacts: bool | None = None
    faint: bool | None = None
    landmarks: int = 80

    def __post_init__(self) -> None:
        if self.difficulty not in DIFFICULTIES:
            raise InputError("unknown difficulty", expected=", ".join(DIFFICULTIES), got=self.difficulty)
        if self.size_px < 64:
            raise InputError("size_px is too small", expected="at least 64", got=self.size_px)
        if not self.mpp > 0 or self.size_px * self.mpp < 400:
            raise InputError(
                "the slide is too small for tissue",
                expected="size_px x mpp >= 400 µm",
                got=self.mpp,
            )
        if self.scale is not None and not 0.3 <= self.scale <= 3:
            raise InputError("scale out of range", expected="0.3 to 3", got=self.scale)
        if self.elastic_um is not None and self.elastic_um < 0:
            raise InputError("elastic_um must not be negative", got=self.elastic_um)
        if self.landmarks < 0:
            raise InputError("landmarks must not be negative", got=self.landmarks)
        if self.organ != ANY_ORGAN:
            find_organ(self.organ)
        for name in (self.fixed_stain, self.moving_stain):
            if name != RANDOM_STAIN:
                find_stain(name)


@dataclass(frozen=True, eq=False)
class DenseTruth:
    """The truth on pixel grids: `forward`, moving_from_fixed, and `valid`, (H, W), on one of the
    fixed slide.

    `inverse` is fixed_from_moving on a grid of the moving slide.
    """

    forward: DisplacementField
    inverse: DisplacementField
    valid: Mask


@dataclass(frozen=True, eq=False)
class PhantomPair:
    """Two generated slides, the exact `truth` (moving_from_fixed, invertible), and landmarks that
    correspond by it.
    """

    config: PairConfig
    fixed: PhantomSlide
    moving: PhantomSlide
    truth: Transform
    fixed_landmarks: Landmarks
    moving_landmarks: Landmarks

    def read(self) -> tuple[Image, Image]:
        """Both slides at full resolution, drawn at once on two cores."""
        with ThreadPoolExecutor(2) as pool:
            fixed, moving = pool.map(
                lambda slide: slide.read(slide.frame), (self.fixed, self.moving)
            )
        return fixed, moving

    def read_with_truth(self, longest_px: int) -> tuple[Image, Image, DenseTruth]:
        """Both slides at full resolution and the truth on at most `longest_px` a side, at once on
        two cores.

        As `read`, `truth.to_field`, `truth.inverse().to_field` and `valid_mask` give them one after
        the other.
        """
        fixed, moving = self.fixed.frame.fit(longest_px), self.moving.frame.fit(longest_px)
        with ThreadPoolExecutor(2) as pool:
            images = [pool.submit(slide.read, slide.frame) for slide in (self.fixed, self.moving)]
            valid = pool.submit(self.valid_mask, fixed)
            forward = pool.submit(self.truth.to_field, fixed)
            inverse = pool.submit(self.truth.inverse().to_field, moving)
        one, other = (image.result() for image in images)
        return one, other, DenseTruth(forward.result(), inverse.result(), valid.result())

    def valid(self, fixed_um: Points) -> Mask:
        """At which fixed points (N, 2) µm the truth is a correspondence of tissue, (N,) bool.

        False on glass, outside the moving slide, in folds, and near gaps and folds, beside which
        tissue is missing.
        """
        return find_valid_points(self.fixed, self.moving, self.truth, fixed_um)

    def valid_mask(self, frame: Frame) -> Mask:
        """`valid` at the pixel centres of `frame`, in the fixed slide's space, (H, W)."""
        return self.valid(frame.centres_um()).reshape(frame.height, frame.width)


def generate_pair(config: PairConfig | None = None, **changes: object) -> PhantomPair:
    """Generate a pair from a configuration or from its fields by name: `generate_pair(seed=3,
    moving_stain="Ki67")`.

    Nothing is rendered until the slides are read. Raises `InputError` for unknown or impossible
    fields.
    """
    unknown = set(changes) - set(PairConfig.__dataclass_fields__)
    if unknown:
        raise InputError(
            "unknown setting of a pair",
            expected=", ".join(PairConfig.__dataclass_fields__),
            got=unknown,
        )
    config = replace(config or PairConfig(), **changes)  # type: ignore[arg-type]
    span = DIFFICULTIES[config.difficulty]
    rng = _generator(config, "pair")
    laid = _settled(config, sample_deformation(span, config.size_px * config.mpp, rng))
    at_rest = DeformationConfig(elastic_um=0.25 * laid.elastic_um)
    fixed = _slide(config, span, "fixed", config.fixed_stain, at_rest)
    moving = _slide(config, span, "moving", config.moving_stain, laid)
    truth = fixed.pull.then(moving.pull.inverse())
    return PhantomPair(config, fixed, moving, truth, *_landmarks(config, fixed, moving, truth, rng))


def find_valid_points(
    fixed: PhantomSlide, moving: PhantomSlide, truth: Transform, fixed_um: Points
) -> Mask:
    """See `PhantomPair.valid`."""
    moving_um = truth(fixed_um)
    return _whole(fixed, fixed_um) & _whole(moving, moving_um)


def _whole(slide: PhantomSlide, points_um: Points) -> Mask:
    """Where points (N, 2) lie in tissue on the slide, clear of gaps and folds."""
    margin_um = 0.004 * min(slide.frame.size_um)
    gap = slide.gap_distance_um(points_um)
    depth = np.minimum(slide.section.depth_um(slide.pull(points_um)), gap)
    clear = (depth > 0) & (gap > margin_um) & (slide.fold_distance_um(points_um) > margin_um)
    return np.asarray(slide.frame.contains(points_um) & clear)


def _generator(config: PairConfig, *names: str) -> np.random.Generator:
    """A generator of its own for each purpose, so that settings of one do not shift the draws of
    another.
    """
    return np.random.default_rng(derive_key(config.seed, *names))


def _settled(config: PairConfig, drawn: DeformationConfig) -> DeformationConfig:
    """The drawn placement with what the configuration settles."""
    wanted = {
        "rotation_deg": config.rotation_deg,
        "flip": config.flip,
        "scale": config.scale,
        "elastic_um": config.elastic_um,
    }
    return replace(drawn, **{name: value for name, value in wanted.items() if value is not None})  # type: ignore[arg-type]


def _slide(
    config: PairConfig, span: DifficultyRanges, side: str, stain_name: str, deformation: DeformationConfig
) -> PhantomSlide:
    """One side of the pair: its section laid, damaged, dyed and scanned."""
    size_um, share = config.size_px * config.mpp, 1.0 if side == "moving" else _FIXED_SHARE
    organ = list(ORGANS)[int(_generator(config, "organ").integers(len(ORGANS)))]
    tissue = TissueConfig(
        config.seed, size_um, size_um, organ=organ if config.organ == ANY_ORGAN else config.organ
    )
    distance_um = span.distance_um if config.distance_um is None else config.distance_um
    stain = (
        sample_stain(_generator(config, side, RANDOM_STAIN))
        if stain_name == RANDOM_STAIN
        else find_stain(stain_name)
    )
    section = StainedSection(tissue, stain, distance_um if side == "moving" else 0.0)
    frame = Space(
        f"phantom {config.seed} {side}", config.size_px, config.size_px, (config.mpp, config.mpp)
    ).frame
    rng = _generator(config, side, "scan")
    faint = stain.antibody and _happens(config.faint, span.faint, rng)
    slide = PhantomSlide(
        section,
        frame,
        deformation,
        Laboratory.sample(rng, span.laboratory, faint),
        jpeg_quality=int(rng.integers(*span.jpeg)),
        seed=derive_key(config.seed, side),
    )
    if side == "moving" and _happens(config.tear, span.tear, _generator(config, "tear?")):
        slide = add_tear(slide, _generator(config, "tear"))
    slide = damage_section(
        slide, share * _chance(config.damage, span.damage), _generator(config, side, "damage")
    )
    pieces = share * _chance(config.damage, span.pieces)
    slide = add_pieces(slide, pieces, config.seed, _generator(config, side, "pieces"))
    chance = share * _chance(config.artefacts, span.artefacts)
    seen = sample_artefacts(
        slide, span, chance, derive_key(config.seed, side), _generator(config, side, "artefacts")
    )
    return replace(slide, artefacts=seen)


def _happens(wanted: bool | None, chance: float, rng: np.random.Generator) -> bool:
    """What is wanted, or what chance brings."""
    lot = rng.uniform()
    return bool(lot < chance) if wanted is None else wanted


def _chance(wanted: bool | None, chance: float) -> float:
    """The difficulty's chance, or certainty."""
    return chance if wanted is None else float(wanted)


def _landmarks(
    config: PairConfig,
    fixed: PhantomSlide,
    moving: PhantomSlide,
    truth: Transform,
    rng: np.random.Generator,
) -> tuple[Landmarks, Landmarks]:
    """Up to `config.landmarks` middles of glands, ducts, vessels and follicles, spread over the
    valid tissue.

    Where a tissue has fewer of them, other places of the tissue make up the number.
    """
    names, places = locate_structures(fixed.section.tissue, fixed.section.distance_um)
    elsewhere = rng.uniform(0.05, 0.95, (8 * config.landmarks, 2)) * fixed.section.tissue.size_um
    fixed_um = fixed.pull.inverse()(np.concatenate([places, elsewhere]))
    names = (*names, *["tissue"] * len(elsewhere))
    usable = rng.permutation(np.flatnonzero(find_valid_points(fixed, moving, truth, fixed_um)))
    bodies = _spread(fixed_um, usable[usable < len(places)], config.landmarks)
    others = _spread(fixed_um, usable[usable >= len(places)], config.landmarks - len(bodies))
    chosen = np.concatenate([bodies, others])
    labels = tuple(f"{names[n]} {number}" for number, n in enumerate(chosen))
    at_um = fixed_um[chosen]
    return (
        Landmarks(fixed.frame.to_px(at_um), labels, fixed.frame),
        Landmarks(moving.frame.to_px(truth(at_um)), labels, moving.frame),
    )


def _spread(points: Points, order: npt.NDArray[np.int_], count: int) -> npt.NDArray[np.int_]:
    """`count` of the points numbered in `order`, each the farthest from those before it."""
    if not len(order) or not count:
        return np.zeros(0, int)
    chosen = [int(order[0])]
    distance = np.hypot(*(points[order] - points[chosen[0]]).T)
    while len(chosen) < min(count, len(order)):
        chosen.append(int(order[np.argmax(distance)]))
        distance = np.minimum(distance, np.hypot(*(points[order] - points[chosen[-1]]).T))
    return np.array(chosen)
