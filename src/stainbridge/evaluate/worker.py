"""The process of one run: `python -m stainbridge.evaluate.worker FOLDER`, where the runner left `job.pkl`.

`row.json` is written before the method is loaded, with the errors as unregistered, and again at the end: what kills the
process in between leaves the first.
"""

from __future__ import annotations

import json
import pickle
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from stainbridge.evaluate.job import Job, Row
from stainbridge.evaluate.methods.alignment import Align, Alignment, failed
from stainbridge.evaluate.methods.registry import method
from stainbridge.evaluate.peers.exchange import peak_mb
from stainbridge.evaluate.pictures import write_overlay
from stainbridge.evaluate.starts import hard_start
from stainbridge.geometry.landmarks import Landmarks, write_points_csv
from stainbridge.geometry.transform import Affine, Transform
from stainbridge.metrics.fields import jacobian_scores
from stainbridge.metrics.landmarks import score_landmarks
from stainbridge.slides.slide import Slide
from stainbridge.types import Points
from stainbridge.whole import whole_file

FOLDS_PX = 512


@dataclass(frozen=True, eq=False)
class Scene:
    """Opened slides and their landmarks, as the start has them; `to_warp` are (N, 2) moving points to carry over."""

    fixed: Slide
    moving: Slide
    landmarks: tuple[Landmarks, Landmarks] | None
    to_warp: Points


def main(folder: Path) -> None:
    """Run the job of `folder` and leave its row, its warped points and its pictures there."""
    job: Job = pickle.loads((folder / "job.pkl").read_bytes())
    row = Row(*job.key, status="crashed")
    with ExitStack() as opened:
        scene = _scene(job, opened)
        row = _with_scene(row, scene)
        _write(folder, row)
        write_overlay(folder / "before.jpg", scene.fixed, scene.moving, corner_on_corner(scene))
        align = method(job.method).load()
        alignment, seconds = _timed(align, scene)
        row = _with_alignment(row, alignment, seconds)
        if alignment.transform is not None:
            row = _scored(row, scene, alignment.transform)
            write_overlay(folder / "after.jpg", scene.fixed, scene.moving, alignment.transform)
            _write_points(folder / "warped.csv", scene, alignment.transform)
        _write(folder, row)


def _scene(job: Job, opened: ExitStack) -> Scene:
    fixed, moving = opened.enter_context(job.case.open_fixed()), opened.enter_context(job.case.open_moving())
    marks = job.case.landmarks
    to_warp = marks[1] if marks is not None else job.case.moving_only
    to_warp = np.zeros((0, 2)) if to_warp is None else to_warp
    if job.start.kind == "hard":
        moving, to_warp, kept = hard_start(moving, to_warp, job.start, f"{job.data_set}/{job.case.id}")
        marks = None if marks is None else (marks[0][kept], to_warp)
    if marks is None:
        return Scene(fixed, moving, None, to_warp)
    labels = tuple(map(str, range(len(to_warp))))
    pair = Landmarks(marks[0], labels, fixed.frame), Landmarks(marks[1], labels, moving.frame)
    return Scene(fixed, moving, pair, to_warp)


def corner_on_corner(scene: Scene) -> Affine:
    """Unregistered: the slides laid on each other by their top-left corners."""
    return Affine(np.eye(3), scene.fixed.frame, scene.moving.frame)


def _timed(align: Align, scene: Scene) -> tuple[Alignment, float]:
    began = time.perf_counter()
    try:
        alignment = align(scene.fixed, scene.moving)
    except Exception as error:  # a method may raise whatever it likes: that is its result
        lines = str(error).strip().splitlines()
        alignment = failed(f"{type(error).__name__}: {lines[-1] if lines else ''}")
    return alignment, time.perf_counter() - began


def _with_scene(row: Row, scene: Scene) -> Row:
    fixed, moving = scene.fixed.info.path, scene.moving.info.path
    row = replace(row, fixed=fixed, moving=moving, fixed_size=(scene.fixed.frame.width, scene.fixed.frame.height))
    if scene.landmarks is None:
        return row
    scores = score_landmarks(corner_on_corner(scene), *scene.landmarks)
    return replace(row, landmarks=scores.n, before=scores.before.rtre)


def _with_alignment(row: Row, alignment: Alignment, seconds: float) -> Row:
    predicted = alignment.predicted_rtre
    return replace(
        row,
        status=alignment.status,
        reason=alignment.reason,
        predicted_rtre=None if predicted is None or not np.isfinite(predicted) else predicted,
        seconds=alignment.seconds if alignment.seconds is not None else seconds,
        peak_mb=alignment.peak_mb if alignment.peak_mb is not None else peak_mb(),
    )


def _scored(row: Row, scene: Scene, transform: Transform) -> Row:
    folded = jacobian_scores(transform, scene.fixed.frame.fit(FOLDS_PX)).folded
    if scene.landmarks is None:
        return replace(row, folded=folded)
    scores = score_landmarks(transform, *scene.landmarks)
    return replace(
        row, after=scores.after.rtre, robustness=scores.robustness, tre_px=scores.after.tre_px.median, folded=folded
    )


def _write_points(path: Path, scene: Scene, transform: Transform) -> None:
    """The moving points on the fixed slide, as ANHIR takes them in."""
    moved = scene.fixed.frame.to_px(transform.inverse()(scene.moving.frame.to_um(scene.to_warp)))
    write_points_csv(path, moved, tuple(map(str, range(len(moved)))))


def _write(folder: Path, row: Row) -> None:
    with whole_file(folder / "row.json") as temporary:
        temporary.write_text(json.dumps(row.to_dict()))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
