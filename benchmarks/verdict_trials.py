"""Trials of the verdict: registrations that succeed and fail, with the truth known.

A pair of generated or real tissue becomes trials: as given, from hard starts, and sabotaged: with
another pair's moving slide ("wrong"), half of the moving tissue removed, stages cut short, or a
wrong initial transform forced on stages too short to leave it.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from real_pairs import SECTIONS, LandmarkPair
from stainbridge.evaluate.starts import Start, draw_hard_start
from stainbridge.geometry.landmarks import read_points_csv
from stainbridge.geometry.transform import Affine
from stainbridge.registration.config import (
    AffineConfig,
    DeformableConfig,
    RegisterConfig,
    SearchConfig,
)
from stainbridge.slides.memory import ArraySlide
from stainbridge.slides.open import open_slide
from trials import Trial, TrialPlan

#: The landmarks of slides of which nothing corresponds.
NO_POINTS = np.zeros((0, 2))


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
    return Trial(pair, config, initial)


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
