"""Trials of the verdict: registrations that succeed and fail, with the truth known.

A pair of generated or real tissue becomes trials: as given, from hard starts, and sabotaged: with
another pair's moving slide ("wrong"), half of the moving tissue removed, stages cut short, or a
wrong initial transform forced on stages too short to leave it.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from zlib import crc32

import numpy as np

from real_pairs import SECTIONS, LandmarkPair
from stainbridge.evaluate.starts import Start, draw_hard_start
from stainbridge.geometry.landmarks import read_points_csv
from stainbridge.geometry.transform import Affine
from stainbridge.phantom.pairs.pair import generate_pair
from stainbridge.phantom.staining.library import STAINS
from stainbridge.registration.config import (
    AffineConfig,
    DeformableConfig,
    RegisterConfig,
    SearchConfig,
)
from stainbridge.slides.memory import ArraySlide
from stainbridge.slides.open import open_slide

#: Difficulties of generated pairs, in turn.
DIFFICULTIES = ("real", "hard", "real", "easy")
#: Side of generated slides in pixels.
SIDE_PX = 1024
#: The first letters of a real pair's name tell its tissue.
TISSUE_LETTERS = 7
#: The landmarks of slides of which nothing corresponds.
NO_POINTS = np.zeros((0, 2))
#: Trials of a generated pair by kind.
GENERATED_KINDS = {
    "given": 1,
    "hard": 1,
    "wrong": 1,
    "wrong-hard": 1,
    "wrong-near": 1,
    "wrong-alike": 2,
    "half": 1,
    "early": 2,
    "misled": 3,
    "stiff": 4,
}
#: Trials of a real pair by kind.
REAL_KINDS = GENERATED_KINDS | {"hard": 3, "misled": 2, "stiff": 2, "wrong-alike": 0}
#: Trials of large slides of one section, which hardly deform.
SCANNER_KINDS = {"given": 1, "wrong": 1, "misled": 1}


@dataclass(frozen=True, eq=False)
class Trial:
    """One registration to run."""

    kind: str
    """What is done to the pair."""
    pair: LandmarkPair
    """The pair after that."""
    config: RegisterConfig
    """The configuration, whose stages may be cut short."""
    initial_transform: Affine | None = None
    """The initial transform, where one is forced."""


@dataclass(frozen=True)
class TrialPlan:
    """A trial whose slides are not read yet."""

    source: str
    """`generated` or `real`."""
    pair: str
    """The name of the pair."""
    kind: str
    """What is done to it."""
    preset: str
    """The preset that registers it."""
    index: int = 0
    """The number among trials of this kind."""

    @property
    def key(self) -> str:
        """The trial's name in the table."""
        return f"{self.source}/{self.pair}/{self.kind}-{self.index}/{self.preset}"

    @property
    def rng(self) -> np.random.Generator:
        """A random generator that depends on the trial's name, but not on the preset."""
        return np.random.default_rng(
            crc32(f"{self.source}/{self.pair}/{self.kind}-{self.index}".encode())
        )


def make_trial(plan: TrialPlan, pair: LandmarkPair, other: Callable[[], LandmarkPair]) -> Trial:
    """Make the trial of `plan` from `pair`.

    `other` reads a pair of other tissue; for "wrong-alike" of the same organ in the same stains.
    """
    config = RegisterConfig.preset(plan.preset)
    rng = plan.rng
    initial = None
    if plan.kind in ("hard", "wrong-hard"):
        pair = _disturb(pair if plan.kind == "hard" else _exchange_moving(pair, other()), plan)
    elif plan.kind in ("wrong", "wrong-alike"):
        pair = _exchange_moving(pair, other())
    elif plan.kind == "wrong-near":
        pair = _exchange_moving(pair, _enlarge(other(), rng))
    elif plan.kind == "half":
        pair = _halve(pair, rng)
    elif plan.kind == "early":
        config = _shorten_stages(config, rng)
    elif plan.kind == "misled":
        config = _shorten_affine(config, rng)
        initial = _misplace(pair, (0.01, 0.3), rng)
    elif plan.kind == "stiff":
        config = _keep_initial(config)
        initial = _misplace(pair, (0.003, 0.08), rng)
    return Trial(plan.kind, pair, config, initial)


def _exchange_moving(pair: LandmarkPair, other: LandmarkPair) -> LandmarkPair:
    return replace(pair, moving=other.moving, fixed_px=NO_POINTS, moving_px=NO_POINTS)


def _enlarge(pair: LandmarkPair, rng: np.random.Generator) -> LandmarkPair:
    """Crop the moving slide to a third and less, full of tissue, without a pixel size."""
    frame = pair.moving.frame.fit(2048)
    pixels = pair.moving.read(frame).pixels
    side = float(rng.uniform(0.15, 0.35))
    size = np.array([frame.width, frame.height])
    middle = np.median(pair.moving_px, 0) / pair.moving.frame.to_px(np.array([frame.mpp]))[0]
    low = np.clip(middle - side * size / 2, 0, size * (1 - side)).astype(int)
    high = low + np.maximum(16, side * size).astype(int)
    crop = np.ascontiguousarray(pixels[:, low[1] : high[1], low[0] : high[0]])
    return replace(pair, moving=ArraySlide(crop, stain=pair.moving.stain))


def _disturb(pair: LandmarkPair, plan: TrialPlan) -> LandmarkPair:
    start = Start("hard", plan.index, 12, seed=7)
    moving, points, inside = draw_hard_start(
        pair.moving, pair.moving_px, start, f"{plan.source}/{plan.pair}"
    )
    return replace(pair, moving=moving, fixed_px=pair.fixed_px[inside], moving_px=points)


def _halve(pair: LandmarkPair, rng: np.random.Generator) -> LandmarkPair:
    """Bare the moving slide beyond a line through the middle of its points."""
    frame = pair.moving.frame.fit(2048)
    pixels = np.array(pair.moving.read(frame).pixels)
    angle = rng.uniform(0, 2 * np.pi)
    normal = np.array([np.cos(angle), np.sin(angle)])
    middle = np.median(pair.moving_px, 0)
    full_px = pair.moving.frame.to_px(frame.centres_um())
    bare = ((full_px - middle) @ normal > 0).reshape(pixels.shape[1:])
    pixels[:, bare] = np.percentile(pixels, 95 if pair.moving.info.is_rgb else 5, axis=(1, 2))[
        :, None
    ]
    covered = (pair.moving_px - middle) @ normal <= 0
    mpp = frame.mpp[0] if pair.moving.frame.calibrated else None
    slide = ArraySlide(pixels, mpp, stain=pair.moving.stain)
    points = pair.moving_px[covered] / np.array(pair.moving.frame.to_px(np.array([frame.mpp])))[0]
    return replace(pair, moving=slide, fixed_px=pair.fixed_px[covered], moving_px=points)


def _shorten_stages(config: RegisterConfig, rng: np.random.Generator) -> RegisterConfig:
    """Make the search coarse and cut the other stages to a fraction of their steps."""
    share = float(np.exp(rng.uniform(*np.log((0.04, 0.5)))))
    angles = int(rng.integers(4, 24))
    search = config.find_stage(SearchConfig)
    deformable = config.find_stage(DeformableConfig)
    affine = config.find_stage(AffineConfig)
    assert search is not None
    assert affine is not None
    assert deformable is not None
    config = config.with_stage(replace(search, angles=angles, hypotheses=2))
    config = config.with_stage(replace(affine, steps=_cut(affine.steps, share), varied=0))
    config = config.with_stage(replace(deformable, steps=_cut(deformable.steps, share)))
    return replace(config, second_search=None)


def _shorten_affine(config: RegisterConfig, rng: np.random.Generator) -> RegisterConfig:
    """Cut the affine stage to a fraction of its steps."""
    share = float(np.exp(rng.uniform(*np.log((0.1, 1.0)))))
    affine = config.find_stage(AffineConfig)
    assert affine is not None
    return config.with_stage(replace(affine, steps=_cut(affine.steps, share), varied=0))


def _cut(steps: tuple[int, ...], share: float) -> tuple[int, ...]:
    return tuple(max(1, round(share * count)) for count in steps)


def _keep_initial(config: RegisterConfig) -> RegisterConfig:
    """Let the affine stage stay where it starts, and leave out the deformable stage."""
    affine = config.find_stage(AffineConfig)
    assert affine is not None
    steps = (1,) * len(affine.steps)
    config = config.with_stage(replace(affine, steps=steps, varied=0))
    return config.without_stage(DeformableConfig)


def _misplace(pair: LandmarkPair, span: tuple[float, float], rng: np.random.Generator) -> Affine:
    """Return the affine map that fits the points best, moved by a share of the diagonal in `span`.

    The fixed slide is moved.
    """
    fixed = pair.fixed.frame.to_um(pair.fixed_px)
    moving = pair.moving.frame.to_um(pair.moving_px)
    rows = np.linalg.lstsq(np.c_[fixed, np.ones(len(fixed))], moving, rcond=None)[0].T
    size = float(np.exp(rng.uniform(*np.log(span))))
    angle = rng.uniform(0, 2 * np.pi)
    rotation, stretch = rng.normal(0, 2 * size, 2)
    linear = np.array([[1 + stretch, -rotation], [rotation, 1 - stretch]])
    centre = fixed.mean(0)
    move = np.eye(3)
    shift = size * pair.fixed.frame.diagonal_um * np.array([np.cos(angle), np.sin(angle)])
    move[:2, :2] = linear
    move[:2, 2] = centre - linear @ centre + shift
    return Affine(
        np.vstack([rows, [0, 0, 1]]) @ move, pair.fixed.frame.space, pair.moving.frame.space
    )


def read_generated_pair(number: int, cache: Path, twin: int = 0) -> LandmarkPair:
    """Read generated pair `number`, which is drawn once and kept in the folder `cache`.

    A `twin` above 0 gives other tissue of that organ in the same stains.
    """
    path = cache / (f"pair-{number:03d}-{twin}.npz" if twin else f"pair-{number:03d}.npz")
    if not path.exists():
        rng = np.random.default_rng([77, number])
        stains = rng.choice(list(STAINS), 2, replace=False)
        pair = generate_pair(
            seed=1000 + number,
            size_px=SIDE_PX,
            mpp=float(rng.uniform(2, 8)),
            fixed_stain=str(stains[0]),
            moving_stain=str(stains[1]),
            organ="any",
            difficulty=DIFFICULTIES[number % len(DIFFICULTIES)],
        )
        if twin:
            pair = generate_pair(
                pair.config, seed=1000 * (1 + twin) + number, organ=pair.fixed.section.tissue.organ
            )
        fixed, moving = pair.read()
        cache.mkdir(parents=True, exist_ok=True)
        np.savez(
            path,
            fixed=fixed.pixels,
            moving=moving.pixels,
            mpp=pair.fixed.frame.mpp[0],
            stains=stains,
            fixed_px=pair.fixed_landmarks.points_px,
            moving_px=pair.moving_landmarks.points_px,
        )
    stored = np.load(path)
    mpp = float(stored["mpp"])
    fixed_stain, moving_stain = stored["stains"].tolist()
    return LandmarkPair(
        f"{number:03d}",
        ArraySlide(stored["fixed"], mpp, stain=fixed_stain),
        ArraySlide(stored["moving"], mpp, stain=moving_stain),
        stored["fixed_px"],
        stored["moving_px"],
    )


def find_real_pairs(root: Path) -> dict[str, Callable[[], LandmarkPair]]:
    """Return readers of the real pairs with landmarks or a known affine map, by name."""
    readers: dict[str, Callable[[], LandmarkPair]] = {}
    for name in (*SECTIONS, "cytology_4scanner"):
        for row in csv.DictReader((root / name / "pairs.csv").open()):
            _add_both_directions(
                readers,
                row["case"],
                lambda row=row, name=name: _read_landmark_pair(root / name, row),
            )
    restained = json.loads((root / "restained_he_ihc" / "transforms.json").read_text())
    for case, entry in restained.items():
        files = [root / "restained_he_ihc" / "raw" / f"{case}_{side}.png" for side in ("he", "ihc")]
        matrix = entry["affine_he_to_ihc_raw"]
        _add_both_directions(
            readers,
            case,
            lambda case=case, files=files, matrix=matrix: _read_restained_pair(case, files, matrix),
        )
    return readers


def _add_both_directions(
    readers: dict[str, Callable[[], LandmarkPair]], name: str, read: Callable[[], LandmarkPair]
) -> None:
    readers[name] = read
    readers[f"{name} reversed"] = lambda: read().reverse()


def _read_landmark_pair(folder: Path, row: dict[str, str]) -> LandmarkPair:
    fixed, moving = (open_slide(folder / row[side]) for side in ("fixed", "moving"))
    fixed_px, moving_px = (
        read_points_csv(folder / row[f"{side}_landmarks"])[0] for side in ("fixed", "moving")
    )
    count = min(len(fixed_px), len(moving_px))
    return LandmarkPair(row["case"], fixed, moving, fixed_px[:count], moving_px[:count])


def _read_restained_pair(name: str, files: list[Path], matrix: list[list[float]]) -> LandmarkPair:
    """Read a restained section; its matrix counts from the centre of the first pixel."""
    fixed, moving = (open_slide(path) for path in files)
    frame = fixed.frame.fit(9)
    points = fixed.frame.to_px(frame.centres_um())
    rows = np.asarray(matrix)
    return LandmarkPair(
        name, fixed, moving, points, (points - 0.5) @ rows[:, :2].T + rows[:, 2] + 0.5
    )


def plan_generated_trials(preset: str, numbers: range) -> list[TrialPlan]:
    """TrialPlan all kinds of trials of generated pairs."""
    return _shuffle(
        plan for n in numbers for plan in _plans("generated", f"{n:03d}", preset, GENERATED_KINDS)
    )


def plan_real_trials(preset: str, names: Iterable[str]) -> list[TrialPlan]:
    """TrialPlan all kinds of trials of real pairs."""
    kinds = {name: SCANNER_KINDS if name.startswith("cyto") else REAL_KINDS for name in names}
    return _shuffle(plan for name in names for plan in _plans("real", name, preset, kinds[name]))


def _shuffle(plans: Iterable[TrialPlan]) -> list[TrialPlan]:
    """Sort plans by a checksum, so that the first ones are a fair sample."""
    return sorted(plans, key=lambda plan: crc32(plan.key.encode()))


def _plans(source: str, name: str, preset: str, kinds: dict[str, int]) -> list[TrialPlan]:
    return [
        TrialPlan(source, name, kind, preset, index)
        for kind, count in kinds.items()
        for index in range(count)
    ]


def choose_unrelated(plan: TrialPlan, names: Sequence[str]) -> str:
    """Choose a pair of other tissue than the plan's, of moderate size."""
    tissue = plan.pair[:TISSUE_LETTERS]
    others = [
        name for name in names if name[:TISSUE_LETTERS] != tissue and not name.startswith("cyto")
    ]
    return others[int(plan.rng.integers(len(others)))]
