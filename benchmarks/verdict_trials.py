"""Registrations that go right and registrations that go wrong, on generated and on real tissue,
with the truth known.

A pair becomes trials: as given, from hard starts, and sabotaged: with another pair's moving slide
("wrong slide"), half of the moving tissue taken away, stages cut short, or a wrong start forced on
stages too short to leave it.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from zlib import crc32

import numpy as np

from stainbridge.evaluate.starts import Start, draw_hard_start
from stainbridge.geometry.landmarks import read_points_csv
from stainbridge.geometry.transform import Affine
from stainbridge.phantom.pairs.pair import generate_pair
from stainbridge.phantom.staining.library import STAINS
from stainbridge.registration.config import RegisterConfig
from stainbridge.slides.memory import ArraySlide
from stainbridge.slides.open import open_slide
from stainbridge.slides.slide import Slide
from stainbridge.types import Points

SECTIONS = ("rat_kidney", "lung_lesion_1", "lung_lesion_3")
DIFFICULTIES = ("real", "hard", "real", "easy")
SIDE_PX = 1024
TISSUE_LETTERS = 7  # of a real pair's name
NOWHERE = np.zeros((0, 2))
#: How often each is done to a pair.
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
REAL_KINDS = GENERATED_KINDS | {"hard": 3, "misled": 2, "stiff": 2, "wrong-alike": 0}
#: Large slides that hardly bend: less is done to them.
SCANNER_KINDS = {"given": 1, "wrong": 1, "misled": 1}


@dataclass(frozen=True, eq=False)
class Pair:
    """Two slides and corresponding points, each (N, 2), in their full-resolution pixels; none:
    nothing corresponds.
    """

    name: str
    fixed: Slide
    moving: Slide
    fixed_px: Points
    moving_px: Points

    def turned(self) -> Pair:
        """The same pair the other way round."""
        return Pair(f"{self.name} reversed", self.moving, self.fixed, self.moving_px, self.fixed_px)


@dataclass(frozen=True, eq=False)
class Trial:
    """One registration to run: what is done to which pair, how, and from where."""

    kind: str
    pair: Pair
    config: RegisterConfig
    start: Affine | None = None


@dataclass(frozen=True)
class Plan:
    """A trial that nothing was read for yet."""

    source: str
    pair: str
    kind: str
    preset: str
    index: int = 0

    @property
    def key(self) -> str:
        """Its name in the table."""
        return f"{self.source}/{self.pair}/{self.kind}-{self.index}/{self.preset}"

    @property
    def rng(self) -> np.random.Generator:
        """What the trial is drawn from: nothing but its name, less the preset."""
        return np.random.default_rng(
            crc32(f"{self.source}/{self.pair}/{self.kind}-{self.index}".encode())
        )


def trial(plan: Plan, pair: Pair, other: Callable[[], Pair]) -> Trial:
    """What `plan` says, done to `pair`; `other` reads another pair whose tissue does not belong to
    this one.

    That of "wrong-alike" is of the same organ in the same stains.
    """
    config, rng = RegisterConfig.preset(plan.preset), plan.rng
    start = None
    if plan.kind in ("hard", "wrong-hard"):
        pair = _disturbed(pair if plan.kind == "hard" else _wrong(pair, other()), plan)
    elif plan.kind in ("wrong", "wrong-alike"):
        pair = _wrong(pair, other())
    elif plan.kind == "wrong-near":
        pair = _wrong(pair, _enlarged(other(), rng))
    elif plan.kind == "half":
        pair = _halved(pair, rng)
    elif plan.kind == "early":
        config = _shortened(config, rng)
    elif plan.kind == "misled":
        config, start = _hasty(config, rng), _misplaced(pair, (0.01, 0.3), rng)
    elif plan.kind == "stiff":
        config, start = _stiff(config), _misplaced(pair, (0.003, 0.08), rng)
    return Trial(plan.kind, pair, config, start)


def _wrong(pair: Pair, other: Pair) -> Pair:
    return replace(pair, moving=other.moving, fixed_px=NOWHERE, moving_px=NOWHERE)


def _enlarged(pair: Pair, rng: np.random.Generator) -> Pair:
    """A third of the moving slide and less, full of tissue, of a size that is not known."""
    frame = pair.moving.frame.fit(2048)
    pixels = pair.moving.read(frame).pixels
    side = float(rng.uniform(0.15, 0.35))
    size = np.array([frame.width, frame.height])
    middle = np.median(pair.moving_px, 0) / pair.moving.frame.to_px(np.array([frame.mpp]))[0]
    low = np.clip(middle - side * size / 2, 0, size * (1 - side)).astype(int)
    high = low + np.maximum(16, side * size).astype(int)
    part = np.ascontiguousarray(pixels[:, low[1] : high[1], low[0] : high[0]])
    return replace(pair, moving=ArraySlide(part, stain=pair.moving.stain))


def _disturbed(pair: Pair, plan: Plan) -> Pair:
    begin = Start("hard", plan.index, 12, seed=7)
    moving, points, kept = draw_hard_start(
        pair.moving, pair.moving_px, begin, f"{plan.source}/{plan.pair}"
    )
    return replace(pair, moving=moving, fixed_px=pair.fixed_px[kept], moving_px=points)


def _halved(pair: Pair, rng: np.random.Generator) -> Pair:
    """The moving slide with all beyond a line through the middle of its points bare."""
    frame = pair.moving.frame.fit(2048)
    pixels = np.array(pair.moving.read(frame).pixels)
    angle = rng.uniform(0, 2 * np.pi)
    normal, middle = np.array([np.cos(angle), np.sin(angle)]), np.median(pair.moving_px, 0)
    full_px = pair.moving.frame.to_px(frame.centres_um())
    gone = ((full_px - middle) @ normal > 0).reshape(pixels.shape[1:])
    pixels[:, gone] = np.percentile(pixels, 95 if pair.moving.info.is_rgb else 5, axis=(1, 2))[
        :, None
    ]
    kept = (pair.moving_px - middle) @ normal <= 0
    known = pair.moving.frame.calibrated
    slide = ArraySlide(pixels, frame.mpp[0] if known else None, stain=pair.moving.stain)
    points = pair.moving_px[kept] / np.array(pair.moving.frame.to_px(np.array([frame.mpp])))[0]
    return replace(pair, moving=slide, fixed_px=pair.fixed_px[kept], moving_px=points)


def _shortened(config: RegisterConfig, rng: np.random.Generator) -> RegisterConfig:
    """A coarse search and a fraction of the steps."""
    share = float(np.exp(rng.uniform(*np.log((0.04, 0.5)))))
    assert config.deformable is not None

    def cut(steps: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(max(1, round(share * count)) for count in steps)

    return replace(
        config,
        search_again=None,
        search=replace(config.search, angles=int(rng.integers(4, 24)), hypotheses=2),
        affine=replace(config.affine, steps=cut(config.affine.steps), varied=0),
        deformable=replace(config.deformable, steps=cut(config.deformable.steps)),
    )


def _hasty(config: RegisterConfig, rng: np.random.Generator) -> RegisterConfig:
    """An affine stage of fewer steps."""
    share = float(np.exp(rng.uniform(*np.log((0.1, 1.0)))))
    steps = tuple(max(1, round(share * count)) for count in config.affine.steps)
    return replace(config, affine=replace(config.affine, steps=steps, varied=0))


def _stiff(config: RegisterConfig) -> RegisterConfig:
    """An affine stage that stays where it begins, and nothing after it."""
    steps = (1,) * len(config.affine.steps)
    return replace(config, affine=replace(config.affine, steps=steps, varied=0), deformable=None)


def _misplaced(pair: Pair, span: tuple[float, float], rng: np.random.Generator) -> Affine:
    """The affine that fits the points best, after a move of the fixed slide by a share of its
    diagonal in `span`.
    """
    fixed, moving = pair.fixed.frame.to_um(pair.fixed_px), pair.moving.frame.to_um(pair.moving_px)
    rows = np.linalg.lstsq(np.c_[fixed, np.ones(len(fixed))], moving, rcond=None)[0].T
    size = float(np.exp(rng.uniform(*np.log(span))))
    angle, turn, stretch = rng.uniform(0, 2 * np.pi), *rng.normal(0, 2 * size, 2)
    linear = np.array([[1 + stretch, -turn], [turn, 1 - stretch]])
    centre = fixed.mean(0)
    move = np.eye(3)
    shift = size * pair.fixed.frame.diagonal_um * np.array([np.cos(angle), np.sin(angle)])
    move[:2, :2], move[:2, 2] = linear, centre - linear @ centre + shift
    return Affine(
        np.vstack([rows, [0, 0, 1]]) @ move, pair.fixed.frame.space, pair.moving.frame.space
    )


def generated_pair(number: int, cache: Path, twin: int = 0) -> Pair:
    """Generated pair `number`, drawn once and kept in `cache`; a `twin`: other tissue of that organ
    in these stains.
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
    mpp, (fixed_stain, moving_stain) = float(stored["mpp"]), stored["stains"].tolist()
    return Pair(
        f"{number:03d}",
        ArraySlide(stored["fixed"], mpp, stain=fixed_stain),
        ArraySlide(stored["moving"], mpp, stain=moving_stain),
        stored["fixed_px"],
        stored["moving_px"],
    )


def real_pairs(root: Path) -> dict[str, Callable[[], Pair]]:
    """Readers of the directed real pairs with landmarks or a known affine, by name."""
    readers: dict[str, Callable[[], Pair]] = {}
    for name in (*SECTIONS, "cytology_4scanner"):
        for row in csv.DictReader((root / name / "pairs.csv").open()):
            _both_ways(
                readers, row["case"], lambda row=row, name=name: _landmarked(root / name, row)
            )
    restained = json.loads((root / "restained_he_ihc" / "transforms.json").read_text())
    for case, entry in restained.items():
        files = [root / "restained_he_ihc" / "raw" / f"{case}_{side}.png" for side in ("he", "ihc")]
        matrix = entry["affine_he_to_ihc_raw"]
        _both_ways(
            readers,
            case,
            lambda case=case, files=files, matrix=matrix: _affine_pair(case, files, matrix),
        )
    return readers


def _both_ways(readers: dict[str, Callable[[], Pair]], name: str, read: Callable[[], Pair]) -> None:
    readers[name] = read
    readers[f"{name} reversed"] = lambda: read().turned()


def _landmarked(folder: Path, row: dict[str, str]) -> Pair:
    fixed, moving = (open_slide(folder / row[side]) for side in ("fixed", "moving"))
    a, b = (read_points_csv(folder / row[f"{side}_landmarks"])[0] for side in ("fixed", "moving"))
    count = min(len(a), len(b))
    return Pair(row["case"], fixed, moving, a[:count], b[:count])


def _affine_pair(name: str, files: list[Path], matrix: list[list[float]]) -> Pair:
    """A restained section; its matrix counts from the centre of the first pixel."""
    fixed, moving = (open_slide(path) for path in files)
    frame = fixed.frame.fit(9)
    points = fixed.frame.to_px(frame.centres_um())
    rows = np.asarray(matrix)
    return Pair(name, fixed, moving, points, (points - 0.5) @ rows[:, :2].T + rows[:, 2] + 0.5)


def generated_plans(preset: str, numbers: range) -> list[Plan]:
    """All kinds of trials of generated pairs."""
    return _mixed(
        plan for n in numbers for plan in _plans("generated", f"{n:03d}", preset, GENERATED_KINDS)
    )


def real_plans(preset: str, names: Iterable[str]) -> list[Plan]:
    """All kinds of trials of real pairs."""
    kinds = {name: SCANNER_KINDS if name.startswith("cyto") else REAL_KINDS for name in names}
    return _mixed(plan for name in names for plan in _plans("real", name, preset, kinds[name]))


def _mixed(chosen: Iterable[Plan]) -> list[Plan]:
    """In an order that belongs to them, in which the first ones are a fair sample."""
    return sorted(chosen, key=lambda plan: crc32(plan.key.encode()))


def _plans(source: str, name: str, preset: str, kinds: dict[str, int]) -> list[Plan]:
    return [
        Plan(source, name, kind, preset, index)
        for kind, count in kinds.items()
        for index in range(count)
    ]


def unrelated(plan: Plan, names: Sequence[str]) -> str:
    """The name of a pair of other tissue than the plan's, and of moderate size."""
    tissue = plan.pair[:TISSUE_LETTERS]
    others = [
        name for name in names if name[:TISSUE_LETTERS] != tissue and not name.startswith("cyto")
    ]
    return others[int(plan.rng.integers(len(others)))]
