"""Trials of what `ok` promises, of the kinds of slides that users have; the truth is known.

A generated or real pair becomes many trials: on more glass, in other types, scanned again, wrongly
stitched, doubled, or with the slide of another patient. Slides of several pieces and pictures that
repeat themselves are drawn. Every trial depends on its name alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from zlib import crc32

import cv2
import numpy as np
import numpy.typing as npt

from misfit_pairs import KINDS as CHANGES
from misfit_pairs import Picture, Shown, list_repeats
from real_pairs import LandmarkPair
from stainbridge.phantom.pairs.fragment_pair import generate_fragments
from stainbridge.phantom.pairs.pair import generate_pair
from stainbridge.phantom.staining.library import STAINS
from stainbridge.registration.config import RegisterConfig
from stainbridge.slides.memory import ArraySlide
from stainbridge.slides.slide import Slide
from stainbridge.types import Pixels, Points
from trial_rows import TISSUE_LETTERS
from trials import Trial, TrialPlan, list_plans
from verdict_trials import NO_POINTS, make_trial

#: Side of generated slides in pixels.
SIDE_PX = 512
#: Side of generated slides of several pieces, in pixels and in µm.
PIECES_PX = 768
PIECES_UM = 4096.0
#: Longest side in pixels of the real pictures, and of those of them that are changed.
KEPT_PX = 1024
REAL_PX = 900
#: Grey value of a picture's rim below which it is fluorescence.
DARK_RIM = 100
#: Percentile of fluorescence that is shown at full brightness.
BRIGHTEST = 99.9
#: Difficulties of generated pairs, in turn.
DIFFICULTIES = ("real", "easy", "real", "hard")
#: Kinds in which no placement is right, or several are: no trial of them should read `ok`.
DOUBTFUL = ("halves", "halves-upper", "twice", "twice-fixed", "repeats")
#: Kinds that `misfit_pairs` makes of the moving slide, and of the fixed one.
STITCHED = ("bands-3", "bands-6", "bands-10", "bands-15", "step-6", "step-10", "step-15")
#: Kinds of `verdict_trials`.
SABOTAGED = (
    *("hard", "half", "early", "misled", "stiff"),
    *("wrong", "wrong-hard", "wrong-alike", "wrong-near"),
)
#: Kinds of drawn slides of several pieces.
PIECES = {"fragments": 1, "cores": 1}
#: Kinds of every pair, and how many trials there are of each.
ALWAYS = {"given": 1, "rescan": 1, "half": 1, "early": 3}
GENERATED = ALWAYS | {"hard": 1, "same": 1, "misled": 4, "stiff": 6}
REAL = ALWAYS | {"hard": 3, "misled": 2, "stiff": 2}
#: Groups of kinds that a pair has only some of, in turn, and how many of each group.
GENERATED_IN_TURN = (
    (("small-64", "small-96", "small-160"), 2),
    (("glass-2", "glass-4", "16-bit", "float", "grey"), 2),
    (("wrong", "wrong-alike", "wrong-hard", "wrong-near", "wrong-glass-3"), 2),
    (STITCHED, 2),
    (DOUBTFUL[:4], 1),
)
REAL_IN_TURN = (
    (("glass-2", "float"), 1),
    (("wrong", "wrong-hard", "wrong-near", "wrong-glass-3"), 2),
    (STITCHED, 3),
    (DOUBTFUL[:3], 1),
)


def list_trials(
    preset: str, pairs: range, seeds: range, real_names: Sequence[str]
) -> list[TrialPlan]:
    """Return all trials, sorted by a checksum, so that the first ones are a fair sample."""
    plans = [
        *(
            plan
            for n in pairs
            for plan in list_plans(
                "generated", str(n), preset, GENERATED | choose_in_turn(n, GENERATED_IN_TURN)
            )
        ),
        *(plan for n in seeds for plan in list_plans("drawn", str(n), preset, PIECES)),
        *(TrialPlan("drawn", name, "repeats", preset) for name, _, _ in list_repeats()),
        *(
            plan
            for n, name in enumerate(real_names)
            for plan in list_plans("real", name, preset, REAL | choose_in_turn(n, REAL_IN_TURN))
        ),
    ]
    return sorted(plans, key=lambda plan: plan.checksum)


def choose_in_turn(number: int, groups: Sequence[tuple[tuple[str, ...], int]]) -> dict[str, int]:
    """Return some kinds of each group, other ones for the next number."""
    return {
        kinds[(number * count + offset) % len(kinds)]: 1
        for kinds, count in groups
        for offset in range(count)
    }


def make_trust_trial(
    plan: TrialPlan, real: dict[str, Callable[[], LandmarkPair]], folder: Path
) -> Trial:
    """Make a trial; `real` are readers of the real pairs, `folder` holds the drawn ones."""
    config = RegisterConfig.preset(plan.preset)
    if plan.kind in PIECES:
        return _draw_pieces(plan, config)
    if plan.kind == "repeats":
        sides = next(sides for name, *sides in list_repeats() if name == plan.pair)
        return Trial(_hold_pair(plan.pair, *sides), config)
    pair = real[plan.pair]() if plan.source == "real" else read_drawn_pair(plan.pair, folder)

    def other() -> LandmarkPair:
        if plan.kind == "wrong-alike":
            return read_drawn_pair(plan.pair, folder, twin=True)
        return choose_other(plan.pair, real, folder)

    if plan.kind in SABOTAGED:
        return make_trial(plan, pair, other)
    if plan.kind in CHANGES and plan.kind != "given":
        sides = [show_slide(pair.fixed, pair.fixed_px), show_slide(pair.moving, pair.moving_px)]
        changed = 0 if plan.kind == "twice-fixed" else 1
        sides[changed] = CHANGES[plan.kind](sides[changed])
        groups = _split_bands(plan.kind, pair.moving_px)
        return Trial(_hold_pair(plan.pair, *sides), config, groups=groups)
    return Trial(_change_pair(plan, pair, other), config)


def _change_pair(
    plan: TrialPlan, pair: LandmarkPair, other: Callable[[], LandmarkPair]
) -> LandmarkPair:
    """Return a pair of which one transform is right, or nothing corresponds."""
    name, _, number = plan.kind.rpartition("-")
    if plan.kind == "same":
        return replace(pair, moving=pair.fixed, moving_px=pair.fixed_px)
    if plan.kind == "rescan":
        return _scan_again(pair, plan.rng)
    if name == "glass":
        return _put_on_glass(pair, int(number), plan.rng)
    if name == "small":
        return _shrink_pair(pair, int(number))
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


def _hold_pair(name: str, fixed: Shown, moving: Shown) -> LandmarkPair:
    slides = [hold_picture(shown.picture) for shown in (fixed, moving)]
    return LandmarkPair(name, *slides, fixed.points, moving.points)


def _split_bands(kind: str, points: Points) -> npt.NDArray[np.str_] | None:
    """Return which of the shifted or unshifted bands each landmark of the moving slide is in."""
    name, _, _ = kind.rpartition("-")
    if name not in ("bands", "step") and not kind.startswith("halves"):
        return None
    column = 0 if kind == "halves" else 1
    share = points[:, column] / max(1.0, float(points[:, column].max()))
    return np.floor(share * (4 if name == "bands" else 2)).astype(str)


def hold_picture(picture: Picture, mpp: float | None = 5.0) -> ArraySlide:
    return ArraySlide(np.ascontiguousarray(np.moveaxis(picture, -1, 0)), mpp)


def show_slide(slide: Slide, points: Points, longest_px: int = REAL_PX) -> Shown:
    """Return a slide with its longer side in pixels at most so long, with its landmarks.

    It is shown in bytes, as programs export it: fluorescence from 0 to nearly its brightest.
    """
    frame = slide.frame.fit(longest_px)
    picture = np.moveaxis(slide.read(frame).pixels, 0, -1)
    if picture.dtype != np.uint8:
        light = picture / np.percentile(picture, BRIGHTEST)
        picture = (255 * light).round().clip(0, 255).astype(np.uint8)
    return Shown(picture, frame.to_px(slide.frame.to_um(points)))


def _shrink_pair(pair: LandmarkPair, longest_px: int) -> LandmarkPair:
    """Return the pair as pictures of few pixels."""
    fixed = show_slide(pair.fixed, pair.fixed_px, longest_px)
    moving = show_slide(pair.moving, pair.moving_px, longest_px)
    return _hold_pair(pair.name, fixed, moving)


def _scan_again(pair: LandmarkPair, rng: np.random.Generator) -> LandmarkPair:
    """Return the fixed slide and the same as another scanner shows it: turned, scaled, duller."""
    shown = show_slide(pair.fixed, pair.fixed_px)
    fixed = hold_picture(shown.picture)
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
    moving = hold_picture(dull.round().clip(0, 255).astype(np.uint8))
    points = shown.points @ matrix[:, :2].T + matrix[:, 2]
    return replace(pair, fixed=fixed, moving=moving, fixed_px=shown.points, moving_px=points)


def _put_on_glass(pair: LandmarkPair, times: int, rng: np.random.Generator) -> LandmarkPair:
    """Put both pictures somewhere on glass that is so many times as long and wide."""
    (fixed, fixed_px), (moving, moving_px) = (
        _embed(show_slide(slide, points), times, rng)
        for slide, points in ((pair.fixed, pair.fixed_px), (pair.moving, pair.moving_px))
    )
    return replace(pair, fixed=fixed, moving=moving, fixed_px=fixed_px, moving_px=moving_px)


def _embed(shown: Shown, times: int, rng: np.random.Generator) -> tuple[ArraySlide, Points]:
    height, width = shown.picture.shape[:2]
    rim = shown.picture[[0, -1]]
    # the brightest of a bright field, the darkest around fluorescence
    glass = np.percentile(shown.picture, 95 if rim.mean() > DARK_RIM else 5, axis=(0, 1))
    noise = rng.normal(0, 1.5, (times * height, times * width, 1))
    canvas = (glass + noise).round().clip(0, 255).astype(np.uint8)
    left, top = (int(rng.integers(0, (times - 1) * side + 1)) for side in (width, height))
    canvas[top : top + height, left : left + width] = shown.picture
    return hold_picture(canvas), shown.points + (left, top)


def _retype(pair: LandmarkPair, convert: Callable[[Pixels], Pixels]) -> LandmarkPair:
    """Return the pair with the moving slide's values in another type."""
    shown = show_slide(pair.moving, pair.moving_px)
    pixels = convert(np.moveaxis(shown.picture, -1, 0))
    moving = ArraySlide(np.ascontiguousarray(pixels), 5.0)
    return replace(pair, moving=moving, moving_px=shown.points)


def _draw_pieces(plan: TrialPlan, config: RegisterConfig) -> Trial:
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
    return Trial(LandmarkPair(plan.pair, *slides, *points), config, groups=groups)


def read_drawn_pair(name: str, folder: Path, twin: bool = False) -> LandmarkPair:
    """Read a generated pair, which is drawn once and kept in `folder`.

    Its `twin` is other tissue of that organ in the same stains.
    """
    path = folder / f"trust-{name}{'-twin' if twin else ''}.npz"
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
        folder.mkdir(parents=True, exist_ok=True)
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


def keep_real_pairs(
    readers: dict[str, Callable[[], LandmarkPair]],
) -> dict[str, Callable[[], LandmarkPair]]:
    """Return readers that read each pair once, and keep it at `KEPT_PX`."""
    return {name: cache(partial(_read_small, read)) for name, read in readers.items()}


def _read_small(read: Callable[[], LandmarkPair]) -> LandmarkPair:
    pair = read()
    fixed, fixed_px = _shrink(pair.fixed, pair.fixed_px)
    moving, moving_px = _shrink(pair.moving, pair.moving_px)
    return replace(pair, fixed=fixed, moving=moving, fixed_px=fixed_px, moving_px=moving_px)


def _shrink(slide: Slide, points: Points) -> tuple[ArraySlide, Points]:
    """Return a slide at `KEPT_PX`, with its pixel size, and its landmarks."""
    frame = slide.frame.fit(KEPT_PX)
    mpp = frame.mpp[0] if slide.frame.calibrated else None
    small = ArraySlide(slide.read(frame).pixels, mpp, stain=slide.stain)
    return small, frame.to_px(slide.frame.to_um(points))


def choose_other(
    name: str, real: dict[str, Callable[[], LandmarkPair]], folder: Path
) -> LandmarkPair:
    """Read a pair of other tissue than the named one, real for a real one."""
    if name not in real:
        return read_drawn_pair(str(int(name) + 1), folder)
    others = [key for key in real if key[:TISSUE_LETTERS] != name[:TISSUE_LETTERS]]
    return real[others[crc32(name.encode()) % len(others)]]()
