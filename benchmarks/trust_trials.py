"""Trials of what `ok` promises, of the kinds of slides that users have; the truth is known.

A generated or real pair becomes many trials: on more glass, in other types, scanned again, wrongly
stitched, doubled, or with the slide of another patient. Slides of several pieces and pictures that
repeat themselves are drawn. Every trial depends on its name alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from zlib import crc32

import cv2
import numpy as np
import numpy.typing as npt

from misfit_pairs import KINDS as CHANGES
from misfit_pairs import Picture, Shown, list_repeats
from real_pairs import LandmarkPair
from stainbridge.geometry.transform import Affine
from stainbridge.phantom.pairs.fragment_pair import generate_fragments
from stainbridge.phantom.pairs.pair import generate_pair
from stainbridge.phantom.staining.library import STAINS
from stainbridge.registration.config import RegisterConfig
from stainbridge.slides.memory import ArraySlide
from stainbridge.slides.slide import Slide
from stainbridge.types import Pixels, Points
from verdict_trials import NO_POINTS, TISSUE_LETTERS, TrialPlan, make_trial

#: Side of generated slides in pixels.
SIDE_PX = 640
#: Side of generated slides of several pieces, in pixels and in µm.
PIECES_PX = 768
PIECES_UM = 4096.0
#: Longest side in pixels of the real pictures.
REAL_PX = 900
#: Difficulties of generated pairs, in turn.
DIFFICULTIES = ("real", "easy", "real", "hard")
#: Kinds in which no placement is right, or several are: no trial of them should read `ok`.
DOUBTFUL = ("halves", "halves-upper", "twice", "twice-fixed", "repeats")
#: Kinds that `misfit_pairs` makes of the moving slide, and of the fixed one.
STITCHED = ("bands-3", "bands-6", "bands-10", "bands-15", "step-6", "step-10", "step-15")
#: Kinds of `verdict_trials`.
SABOTAGED = ("hard", "wrong", "wrong-alike", "wrong-near", "half", "early", "misled", "stiff")
#: Kinds of a generated pair, and of a real one.
GENERATED = (
    *("given", "same", "rescan", "glass-2", "glass-4", "wrong-glass-3", "16-bit", "float", "grey"),
    *SABOTAGED,
    *STITCHED,
    *DOUBTFUL[:4],
)
REAL = (
    *("given", "rescan", "glass-2", "hard", "wrong", "wrong-glass-3", "float"),
    *STITCHED,
    *DOUBTFUL[:3],
)
Table = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class TrustTrial:
    """One registration to run."""

    fixed: Slide
    """The fixed slide."""
    moving: Slide
    """The moving slide."""
    fixed_px: Points
    """(N, 2) landmarks in full-resolution pixels; none where nothing corresponds."""
    moving_px: Points
    """(N, 2) the same on the moving slide."""
    groups: npt.NDArray[np.str_]
    """(N,) the piece or band that each lies in."""
    config: RegisterConfig
    """The configuration."""
    initial: Affine | None = None
    """The initial transform, where one is forced."""


@dataclass(frozen=True)
class TrustPlan:
    """A trial whose slides are not made yet."""

    source: str
    """`generated`, `real` or `drawn`."""
    pair: str
    """The name of the pair, or the seed of drawn pieces."""
    kind: str
    """What is done to it."""

    @property
    def key(self) -> str:
        """The trial's name in the table."""
        return f"{self.source}/{self.pair}/{self.kind}"

    @property
    def rng(self) -> np.random.Generator:
        """A random generator that depends on the trial's name alone."""
        return np.random.default_rng(crc32(self.key.encode()))


def list_plans(pairs: range, seeds: range, real_names: list[str]) -> list[TrustPlan]:
    """Return all trials, sorted by a checksum, so that the first ones are a fair sample."""
    plans = [TrustPlan("generated", str(n), kind) for n in pairs for kind in GENERATED]
    plans += [
        TrustPlan("drawn", str(seed), kind) for seed in seeds for kind in ("fragments", "cores")
    ]
    plans += [TrustPlan("drawn", name, "repeats") for name, _, _ in list_repeats()]
    plans += [TrustPlan("real", name, kind) for name in real_names for kind in REAL]
    return sorted(plans, key=lambda plan: crc32(plan.key.encode()))


def make_trust_trial(
    plan: TrustPlan, preset: str, real: dict[str, Callable[[], LandmarkPair]], cache: Path
) -> TrustTrial:
    """Make a trial; `real` are readers of the real pairs, `cache` holds the drawn ones."""
    config = RegisterConfig.preset(preset)
    if plan.kind in ("fragments", "cores"):
        return _draw_pieces(plan, config)
    if plan.kind == "repeats":
        shown = next(sides for name, *sides in list_repeats() if name == plan.pair)
        return _show_trial(*shown, config)
    pair = real[plan.pair]() if plan.source == "real" else read_drawn_pair(plan.pair, cache)

    def other() -> LandmarkPair:
        if plan.kind == "wrong-alike":
            return read_drawn_pair(plan.pair, cache, twin=True)
        return choose_other(plan.pair, real, cache)

    if plan.kind in SABOTAGED:
        sabotage = TrialPlan(plan.source, plan.pair, plan.kind, preset)
        trial = make_trial(sabotage, pair, other)
        return replace(_plain_trial(trial.pair, trial.config), initial=trial.initial_transform)
    if plan.kind in CHANGES and plan.kind != "given":
        sides = [_show(pair.fixed, pair.fixed_px), _show(pair.moving, pair.moving_px)]
        changed = 0 if plan.kind == "twice-fixed" else 1
        sides[changed] = CHANGES[plan.kind](sides[changed])
        return _show_trial(*sides, config, _split_bands(plan.kind, pair.moving_px))
    return _plain_trial(_change_pair(plan, pair, other), config)


def _change_pair(
    plan: TrustPlan, pair: LandmarkPair, other: Callable[[], LandmarkPair]
) -> LandmarkPair:
    """Return a pair of which one transform is right, or nothing corresponds."""
    name, _, number = plan.kind.rpartition("-")
    if plan.kind == "same":
        return replace(pair, moving=pair.fixed, moving_px=pair.fixed_px)
    if plan.kind == "rescan":
        return _scan_again(pair, plan.rng)
    if name == "glass":
        return _put_on_glass(pair, int(number), plan.rng)
    if name == "wrong-glass":
        unrelated = replace(pair, moving=other().moving, fixed_px=NO_POINTS, moving_px=NO_POINTS)
        return _put_on_glass(unrelated, int(number), plan.rng)
    return {
        "given": lambda: pair,
        "16-bit": lambda: _retype(pair, lambda pixels: pixels.astype(np.uint16) * 257),
        "float": lambda: _retype(pair, lambda pixels: pixels.astype(np.float32) / 255),
        "grey": lambda: _retype(pair, _average_channels),
    }[plan.kind]()


def _average_channels(pixels: Pixels) -> Pixels:
    return pixels.mean(axis=0, keepdims=True).round().astype(np.uint8)


def _plain_trial(pair: LandmarkPair, config: RegisterConfig) -> TrustTrial:
    groups = np.full(len(pair.fixed_px), "")
    return TrustTrial(pair.fixed, pair.moving, pair.fixed_px, pair.moving_px, groups, config)


def _show_trial(
    fixed: Shown, moving: Shown, config: RegisterConfig, groups: Table | None = None
) -> TrustTrial:
    slides = [_hold(shown.picture) for shown in (fixed, moving)]
    names = np.zeros(len(fixed.points)) if groups is None else groups
    return TrustTrial(*slides, fixed.points, moving.points, names.astype(str), config)


def _split_bands(kind: str, points: Points) -> Table | None:
    """Return which of the shifted or unshifted bands each landmark of the moving slide is in."""
    name, _, _ = kind.rpartition("-")
    if name not in ("bands", "step") and not kind.startswith("halves"):
        return None
    column = 0 if kind == "halves" else 1
    share = points[:, column] / max(1.0, float(points[:, column].max()))
    return np.floor(share * (4 if name == "bands" else 2))


def _hold(picture: Picture, mpp: float | None = 5.0) -> ArraySlide:
    return ArraySlide(np.ascontiguousarray(np.moveaxis(picture, -1, 0)), mpp)


def _show(slide: Slide, points: Points) -> Shown:
    """Return a slide at `REAL_PX` at most, with its landmarks."""
    frame = slide.frame.fit(REAL_PX)
    picture = np.moveaxis(slide.read(frame).pixels, 0, -1)
    return Shown(picture, frame.to_px(slide.frame.to_um(points)))


def _scan_again(pair: LandmarkPair, rng: np.random.Generator) -> LandmarkPair:
    """Return the fixed slide and the same as another scanner shows it: turned, scaled, duller."""
    shown = _show(pair.fixed, pair.fixed_px)
    fixed = _hold(shown.picture)
    height, width = shown.picture.shape[:2]
    matrix = cv2.getRotationMatrix2D(
        (width / 2, height / 2), float(rng.uniform(-20, 20)), float(rng.uniform(0.8, 1.2))
    )
    matrix[:, 2] += rng.uniform(-0.03, 0.03, 2) * (width, height)
    glass = np.median(shown.picture[:4].reshape(-1, 3), axis=0)
    # OpenCV counts from the centre of the first pixel
    centred = matrix.copy()
    centred[:, 2] += matrix[:, :2] @ (0.5, 0.5) - 0.5
    turned = cv2.warpAffine(
        shown.picture, centred, (width, height), flags=cv2.INTER_AREA, borderValue=glass.tolist()
    )
    dull = 255 * (turned / 255.0) ** float(rng.uniform(0.8, 1.3)) + rng.normal(0, 2, turned.shape)
    moving = _hold(dull.round().clip(0, 255).astype(np.uint8))
    points = shown.points @ matrix[:, :2].T + matrix[:, 2]
    return replace(pair, fixed=fixed, moving=moving, fixed_px=shown.points, moving_px=points)


def _put_on_glass(pair: LandmarkPair, times: int, rng: np.random.Generator) -> LandmarkPair:
    """Put both pictures somewhere on glass that is so many times as long and wide."""
    (fixed, fixed_px), (moving, moving_px) = (
        _embed(_show(slide, points), times, rng)
        for slide, points in ((pair.fixed, pair.fixed_px), (pair.moving, pair.moving_px))
    )
    return replace(pair, fixed=fixed, moving=moving, fixed_px=fixed_px, moving_px=moving_px)


def _embed(shown: Shown, times: int, rng: np.random.Generator) -> tuple[ArraySlide, Points]:
    height, width = shown.picture.shape[:2]
    glass = np.percentile(shown.picture, 95, axis=(0, 1))
    noise = rng.normal(0, 1.5, (times * height, times * width, 1))
    canvas = (glass + noise).round().clip(0, 255).astype(np.uint8)
    left, top = (int(rng.integers(0, (times - 1) * side + 1)) for side in (width, height))
    canvas[top : top + height, left : left + width] = shown.picture
    return _hold(canvas), shown.points + (left, top)


def _retype(pair: LandmarkPair, convert: Callable[[Pixels], Pixels]) -> LandmarkPair:
    """Return the pair with the moving slide's values in another type."""
    shown = _show(pair.moving, pair.moving_px)
    pixels = convert(np.moveaxis(shown.picture, -1, 0))
    moving = ArraySlide(np.ascontiguousarray(pixels), 5.0)
    return replace(pair, moving=moving, moving_px=shown.points)


def _draw_pieces(plan: TrustPlan, config: RegisterConfig) -> TrustTrial:
    pair = generate_fragments(
        seed=int(plan.pair),
        arrangement=plan.kind,
        size_px=PIECES_PX,
        mpp=PIECES_UM / PIECES_PX,
        moving_stain=str(plan.rng.choice(list(STAINS))),
    )
    fixed, moving = pair.read()
    slides = [ArraySlide(image.pixels, PIECES_UM / PIECES_PX) for image in (fixed, moving)]
    groups = np.array([label.split(":")[0] for label in pair.fixed_landmarks.labels])
    points = pair.fixed_landmarks.points_px, pair.moving_landmarks.points_px
    return TrustTrial(*slides, *points, groups, config)


def read_drawn_pair(name: str, cache: Path, twin: bool = False) -> LandmarkPair:
    """Read a generated pair, which is drawn once and kept in the folder `cache`.

    Its `twin` is other tissue of that organ in the same stains.
    """
    path = cache / f"trust-{name}{'-twin' if twin else ''}.npz"
    number = int(name)
    if not path.exists():
        rng = np.random.default_rng([78, number])
        stains = rng.choice(list(STAINS), 2, replace=False)
        pair = generate_pair(
            seed=50_000 + number,
            size_px=SIDE_PX,
            mpp=float(rng.uniform(3, 10)),
            fixed_stain=str(stains[0]),
            moving_stain=str(stains[1]),
            organ="any",
            difficulty=DIFFICULTIES[number % len(DIFFICULTIES)],
        )
        if twin:
            organ = pair.fixed.section.tissue.organ
            pair = generate_pair(pair.config, seed=60_000 + number, organ=organ)
        fixed, moving = pair.read()
        cache.mkdir(parents=True, exist_ok=True)
        np.savez(
            path,
            fixed=fixed.pixels,
            moving=moving.pixels,
            mpp=pair.fixed.frame.mpp[0],
            fixed_px=pair.fixed_landmarks.points_px,
            moving_px=pair.moving_landmarks.points_px,
        )
    stored = np.load(path)
    slides = [ArraySlide(stored[side], float(stored["mpp"])) for side in ("fixed", "moving")]
    return LandmarkPair(name, *slides, stored["fixed_px"], stored["moving_px"])


def choose_other(
    name: str, real: dict[str, Callable[[], LandmarkPair]], cache: Path
) -> LandmarkPair:
    """Read a pair of other tissue than the named one, real for a real one."""
    if name not in real:
        return read_drawn_pair(str(int(name) + 1), cache)
    others = [key for key in real if key[:TISSUE_LETTERS] != name[:TISSUE_LETTERS]]
    return real[others[crc32(name.encode()) % len(others)]]()
