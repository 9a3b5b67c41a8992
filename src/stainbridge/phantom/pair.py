"""A pair of generated slides of neighbouring sections, and the exact map between them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame
from stainbridge.geometry.landmarks import Landmarks
from stainbridge.geometry.transform import Transform
from stainbridge.phantom.artefacts import Artefact, BlackBorder, Dust, PenMark, ScaleBar, UnevenLight
from stainbridge.phantom.deformation import DeformationConfig
from stainbridge.phantom.outline import TissueConfig
from stainbridge.phantom.places import structures
from stainbridge.phantom.randomness import key
from stainbridge.phantom.section import Section
from stainbridge.phantom.slide import PhantomSlide
from stainbridge.phantom.stain import Laboratory, stain_named
from stainbridge.phantom.tear import Cut
from stainbridge.types import Mask, Points

Difficulty = Literal["easy", "real", "hard"]


@dataclass(frozen=True)
class _Range:
    """How far a difficulty goes: ± rotation, chance of a flip, ± scale, ± shift, ± shear, elasticity, laboratories."""

    rotation_deg: float
    flip: float
    scale: float
    shift: float
    shear: float
    elastic: float  # root mean square, as a share of the tissue's size
    laboratory: float
    distance_um: float


_RANGES: dict[str, _Range] = {
    "easy": _Range(15, 0.0, 0.02, 0.02, 0.0, 0.006, 0.3, 4.0),
    "real": _Range(180, 0.3, 0.05, 0.03, 0.02, 0.012, 0.8, 8.0),
    "hard": _Range(180, 0.5, 0.15, 0.05, 0.05, 0.022, 1.3, 20.0),
}


@dataclass(frozen=True)
class PairConfig:
    """What pair to generate; None means drawn from the seed within the difficulty's range.

    `size_px` is the side of both slides, `mpp` their pixel size in µm, so that the section is about
    `0.8 · size_px · mpp` µm across. `elastic_um` is the root mean square elastic displacement of the moving section,
    `distance_um` the distance between the sections. Raises `InputError` for values that make no slide.
    """

    seed: int = 0
    size_px: int = 2048
    mpp: float = 2.0
    fixed_stain: str = "HE"
    moving_stain: str = "PanCK"
    difficulty: Difficulty = "real"
    rotation_deg: float | None = None
    flip: bool | None = None
    scale: float | None = None
    elastic_um: float | None = None
    distance_um: float | None = None
    tear: bool = True
    artefacts: bool | None = None
    landmarks: int = 80

    def __post_init__(self) -> None:
        if self.difficulty not in _RANGES:
            raise InputError("unknown difficulty", expected=", ".join(_RANGES), got=self.difficulty)
        if self.size_px < 64:
            raise InputError("size_px is too small", expected="at least 64", got=self.size_px)
        if not self.mpp > 0 or self.size_px * self.mpp < 400:
            raise InputError("the slide is too small for tissue", expected="size_px x mpp >= 400 µm", got=self.mpp)
        if self.scale is not None and not 0.3 <= self.scale <= 3:
            raise InputError("scale out of range", expected="0.3 to 3", got=self.scale)
        if self.elastic_um is not None and self.elastic_um < 0:
            raise InputError("elastic_um must not be negative", got=self.elastic_um)
        if self.landmarks < 0:
            raise InputError("landmarks must not be negative", got=self.landmarks)
        stain_named(self.fixed_stain)
        stain_named(self.moving_stain)


@dataclass(frozen=True, eq=False)
class PhantomPair:
    """Two generated slides, the exact `truth` (moving_from_fixed, invertible), and landmarks that correspond by it."""

    config: PairConfig
    fixed: PhantomSlide
    moving: PhantomSlide
    truth: Transform
    fixed_landmarks: Landmarks
    moving_landmarks: Landmarks

    def valid(self, fixed_um: Points) -> Mask:
        """At which fixed points (N, 2) µm the truth is a correspondence of tissue, (N,) bool.

        False on glass, outside the moving slide, and near the tear, beside which tissue is missing.
        """
        return valid_points(self.fixed, self.moving, self.truth, fixed_um)

    def valid_mask(self, frame: Frame) -> Mask:
        """`valid` at the pixel centres of `frame`, in the fixed slide's space, (H, W)."""
        return self.valid(frame.centres_um()).reshape(frame.height, frame.width)


def generate_pair(config: PairConfig | None = None, **changes: object) -> PhantomPair:
    """Generate a pair from a configuration or from its fields by name: `generate_pair(seed=3, moving_stain="Ki67")`.

    Nothing is rendered until the slides are read. Raises `InputError` for unknown or impossible fields.
    """
    unknown = set(changes) - set(PairConfig.__dataclass_fields__)
    if unknown:
        raise InputError("unknown setting of a pair", expected=", ".join(PairConfig.__dataclass_fields__), got=unknown)
    config = replace(config or PairConfig(), **changes)  # type: ignore[arg-type]
    span = _RANGES[config.difficulty]
    rng = np.random.default_rng(key(config.seed, "pair"))
    size_um = config.size_px * config.mpp
    tissue = TissueConfig(config.seed, size_um, size_um)
    distance_um = span.distance_um if config.distance_um is None else config.distance_um
    laid = _drawn_deformation(config, span, rng)
    labs = [Laboratory.drawn(rng, span.laboratory) for _ in range(2)]
    artefacts = config.difficulty == "hard" if config.artefacts is None else config.artefacts
    at_rest = DeformationConfig(elastic_um=0.25 * laid.elastic_um)
    fixed = _slide(config, "fixed", Section(tissue, stain_named(config.fixed_stain)), at_rest, labs[0])
    section = Section(tissue, stain_named(config.moving_stain), distance_um)
    moving = _slide(config, "moving", section, laid, labs[1])
    if artefacts:
        fixed = replace(fixed, artefacts=(Dust(seed=config.seed), UnevenLight(0.04, seed=config.seed)))
        moving = replace(moving, artefacts=_artefacts(config, rng))
    if config.tear:
        moving = replace(moving, deformation=replace(laid, tear=_drawn_cut(moving, tissue, rng)))
    truth = fixed.pull.then(moving.pull.inverse())
    return PhantomPair(config, fixed, moving, truth, *_landmarks(config, fixed, moving, truth, rng))


def valid_points(fixed: PhantomSlide, moving: PhantomSlide, truth: Transform, fixed_um: Points) -> Mask:
    """See `PhantomPair.valid`."""
    moving_um = truth(fixed_um)
    margin_um = 0.004 * min(fixed.frame.size_um)
    there = moving.frame.contains(moving_um) & fixed.frame.contains(fixed_um)
    return (
        there
        & (fixed.tissue_um(fixed_um) > 0)
        & (moving.tissue_um(moving_um) > 0)
        & (moving.gap_um(moving_um) > margin_um)
    )


def _slide(
    config: PairConfig, name: str, section: Section, deformation: DeformationConfig, laboratory: Laboratory
) -> PhantomSlide:
    frame = Frame(f"phantom {config.seed} {name}", config.size_px, config.size_px, (config.mpp, config.mpp))
    return PhantomSlide(section, frame, deformation, laboratory, seed=key(config.seed, name))


def _drawn_deformation(config: PairConfig, span: _Range, rng: np.random.Generator) -> DeformationConfig:
    """The moving section's placement without its tear. Every number is drawn, so that settings do not shift others."""
    drawn = DeformationConfig(
        rotation_deg=float(rng.uniform(-span.rotation_deg, span.rotation_deg)),
        flip=bool(rng.uniform() < span.flip),
        scale=float(np.exp(rng.uniform(-span.scale, span.scale))),
        shear=float(rng.uniform(-span.shear, span.shear)),
        shift=(float(rng.uniform(-span.shift, span.shift)), float(rng.uniform(-span.shift, span.shift))),
        elastic_um=float(span.elastic * config.size_px * config.mpp * rng.uniform(0.8, 1.2)),
    )
    wanted = {
        "rotation_deg": config.rotation_deg,
        "flip": config.flip,
        "scale": config.scale,
        "elastic_um": config.elastic_um,
    }
    return replace(drawn, **{name: value for name, value in wanted.items() if value is not None})  # type: ignore[arg-type]


def _drawn_cut(moving: PhantomSlide, tissue: TissueConfig, rng: np.random.Generator) -> Cut:
    """A cut from inside the section outwards, long enough to reach its edge."""
    push = moving.pull.inverse()
    steps = np.linspace(0, 1, 200)[:, None] * 0.5 * tissue.size_um
    rays = [
        np.array([[tissue.width_um / 2, tissue.height_um / 2]]) + steps * (np.cos(angle), np.sin(angle))
        for angle in rng.uniform(0, 2 * np.pi, 8)
    ]
    # A tear through fat is hardly seen: of eight directions, the one with the least fat.
    ray = push(min(rays, key=lambda ray: float((moving.section.fat_um(ray) > 0).sum())))
    edge = ray[np.flatnonzero(moving.tissue_um(ray) > 0)[-1]]
    inward = ray[0] - edge
    length_um = 0.5 * float(np.hypot(*inward)) * rng.uniform(0.85, 1.3)
    away = -inward / np.hypot(*inward)
    tip = edge - away * length_um
    return Cut(
        (float(tip[0]), float(tip[1])),
        float(np.arctan2(away[1], away[0])),
        length_um,
        0.013 * tissue.size_um * rng.uniform(0.8, 1.3),
        float(rng.uniform(0, 2 * np.pi)),
    )


def _artefacts(config: PairConfig, rng: np.random.Generator) -> tuple[Artefact, ...]:
    """A hard slide's: pen beside the tissue, dust, a scale bar, a black border, uneven light."""
    x = float(rng.uniform(0.04, 0.10))
    down = np.linspace(0.12, 0.5, 24)
    pen = PenMark(tuple((x + 0.02 * float(np.sin(9 * y)) + 0.05 * y, float(y)) for y in down), 0.012)
    bar_um = float(10 ** np.floor(np.log10(0.25 * config.size_px * config.mpp)))
    return pen, Dust(seed=config.seed + 1), UnevenLight(0.06, seed=config.seed + 1), ScaleBar(bar_um), BlackBorder()


def _landmarks(
    config: PairConfig, fixed: PhantomSlide, moving: PhantomSlide, truth: Transform, rng: np.random.Generator
) -> tuple[Landmarks, Landmarks]:
    """Up to `config.landmarks` middles of glands, ducts, vessels and follicles, spread over the valid tissue."""
    names, places = structures(fixed.section.tissue, fixed.section.distance_um)
    fixed_um = fixed.pull.inverse()(places)
    usable = np.flatnonzero(valid_points(fixed, moving, truth, fixed_um))
    chosen = _spread(fixed_um, rng.permutation(usable), config.landmarks)
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
